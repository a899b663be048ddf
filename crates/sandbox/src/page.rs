//! The page: a small web server on loopback that shows the model in browsers and takes commands from them.
//!
//! The page and its tabs never hold up the demonstration: frames go into a bounded queue that each tab reads at its own pace, and a tab
//! that falls behind gets a snapshot instead of what it has missed.

mod assets;
mod guard;
mod server;
mod tab;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::ws::Utf8Bytes;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::time::timeout;

use self::guard::Guard;
use self::server::Site;
use crate::commands::Command;

/// Tabs at the same time.
const TABS_MAX: u32 = 64;
/// Frames that a tab may be behind: about two seconds.
const QUEUED_FRAMES_MAX: usize = 64;
/// Commands that wait for the demonstration, from all tabs.
const QUEUED_REQUESTS_MAX: usize = 64;
/// How long the tabs have at the end to send the last frame.
const LAST_FRAME: Duration = Duration::from_millis(500);

/// What a tab asks of the demonstration.
pub(crate) enum Request {
    /// It wants to see everything from now on.
    Join(oneshot::Sender<Joined>),
    /// It wants something done.
    Command { command: Command, reply: oneshot::Sender<Result<String, String>> },
}

/// What a tab begins with.
pub(crate) struct Joined {
    snapshot: Utf8Bytes,
    /// The frames after the snapshot.
    frames: broadcast::Receiver<Utf8Bytes>,
}

/// The server as the demonstration sees it.
pub(crate) struct Page {
    link: String,
    requests: mpsc::Receiver<Request>,
    frames: broadcast::Sender<Utf8Bytes>,
    tabs: Arc<Semaphore>,
}

impl Page {
    /// Listens on a free port of the loopback interface.
    pub(crate) async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("could not listen on 127.0.0.1")?;
        let address = listener.local_addr().context("the listener has no address")?;
        // 122 random bits from the operating system.
        let token = uuid::Uuid::new_v4().simple().to_string();
        // A fragment is not sent with requests, so the token is in no log and no Referer.
        let link = format!("http://{address}/#token={token}");
        let (sender, requests) = mpsc::channel(QUEUED_REQUESTS_MAX);
        let (frames, _) = broadcast::channel(QUEUED_FRAMES_MAX);
        let tabs = Arc::new(Semaphore::new(TABS_MAX as usize));
        let site = Site { token: token.into(), requests: sender, tabs: Arc::clone(&tabs) };
        tokio::spawn(server::serve(listener, Guard::new(address), site));
        Ok(Self { link, requests, frames, tabs })
    }

    /// The address with the token.
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    pub(crate) async fn next_request(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            // The server is gone, which only the end of the runtime causes.
            None => std::future::pending().await,
        }
    }

    pub(crate) fn has_tabs(&self) -> bool {
        self.frames.receiver_count() > 0
    }

    /// Lets a tab in.
    pub(crate) fn join(&self, tab: oneshot::Sender<Joined>, snapshot: String) {
        // The tab may be closed.
        drop(tab.send(Joined { snapshot: snapshot.into(), frames: self.frames.subscribe() }));
    }

    /// Sends a frame to all tabs.
    pub(crate) fn send(&self, frame: String) {
        // This fails if there is no tab.
        drop(self.frames.send(frame.into()));
    }

    /// Closes all tabs once they have the last frame.
    pub(crate) async fn close(self) {
        let Self { frames, tabs, .. } = self;
        drop(frames);
        // A tab that does not read must not hold up the end.
        drop(timeout(LAST_FRAME, tabs.acquire_many(TABS_MAX)).await);
    }
}

//! One tab: checks its token, sends it frames, and passes on its commands.

use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::server::Site;
use super::{Joined, Request};
use crate::commands::Command;

/// How long a tab may take to send its token.
const TOKEN: Duration = Duration::from_secs(5);
/// How long a tab may take to accept a frame. One that takes longer is gone or frozen.
const SEND: Duration = Duration::from_secs(10);

/// The first message of a tab.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    token: String,
}

/// Each later message.
#[derive(Deserialize)]
struct Call {
    /// Returned with the answer.
    id: u64,
    #[serde(flatten)]
    command: Command,
}

/// The tab is closed, or is to be closed.
struct Closed;

pub(super) async fn serve(mut socket: WebSocket, site: &Site) {
    // A tab that is closed is no error.
    follow(&mut socket, site).await.err();
    drop(timeout(SEND, socket.send(Message::Close(None))).await);
}

async fn follow(socket: &mut WebSocket, site: &Site) -> Result<(), Closed> {
    check_token(socket, &site.token).await?;
    let mut joined = join(site).await?;
    send(socket, joined.snapshot.clone()).await?;
    loop {
        tokio::select! {
            frame = joined.frames.recv() => match frame {
                Ok(frame) => send(socket, frame).await?,
                Err(RecvError::Lagged(_)) => {
                    joined = join(site).await?;
                    send(socket, joined.snapshot.clone()).await?;
                }
                Err(RecvError::Closed) => return Err(Closed),
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let answer = carry_out(&text, site).await?;
                    send(socket, answer).await?;
                }
                // axum answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return Err(Closed),
            },
        }
    }
}

async fn check_token(socket: &mut WebSocket, token: &str) -> Result<(), Closed> {
    let Ok(Some(Ok(Message::Text(text)))) = timeout(TOKEN, socket.recv()).await else { return Err(Closed) };
    match serde_json::from_str::<Hello>(&text) {
        Ok(hello) if hello.token == token => Ok(()),
        _ => {
            let refusal = json!({ "type": "refused", "text": "The token is not that of the printed link." });
            send(socket, refusal.to_string().into()).await?;
            Err(Closed)
        }
    }
}

async fn join(site: &Site) -> Result<Joined, Closed> {
    let (tab, joined) = oneshot::channel();
    site.requests.send(Request::Join(tab)).await.map_err(|_| Closed)?;
    joined.await.map_err(|_| Closed)
}

/// Has a command carried out, and returns the answer for the tab.
async fn carry_out(text: &str, site: &Site) -> Result<Utf8Bytes, Closed> {
    let (id, result) = match serde_json::from_str::<Call>(text) {
        Ok(Call { id, command }) => {
            let (reply, result) = oneshot::channel();
            site.requests.send(Request::Command { command, reply }).await.map_err(|_| Closed)?;
            (Some(id), result.await.map_err(|_| Closed)?)
        }
        Err(error) => (None, Err(format!("This is not a command: {error}"))),
    };
    let (is_done, text) = match result {
        Ok(text) => (true, text),
        Err(text) => (false, text),
    };
    Ok(json!({ "type": "answer", "id": id, "is_done": is_done, "text": text }).to_string().into())
}

async fn send(socket: &mut WebSocket, frame: Utf8Bytes) -> Result<(), Closed> {
    match timeout(SEND, socket.send(Message::Text(frame))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Closed),
    }
}

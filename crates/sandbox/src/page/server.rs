//! The web server: the files of the page, and the WebSocket of its tabs.

use std::sync::Arc;

use axum::Router;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::guard::{self, Guard};
use super::{Request, assets, tab};

/// A command is short.
const MESSAGE_MAX: usize = 4096;

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) token: Arc<str>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) tabs: Arc<Semaphore>,
}

pub(super) async fn serve(listener: TcpListener, guard: Guard, site: Site) {
    let mut router = Router::new().route("/events", get(events));
    for asset in assets::ALL {
        router = router.route(asset.path, get(async || asset.response()));
    }
    let router = router.with_state(site).layer(from_fn_with_state(Arc::new(guard), guard::check));
    // `serve` never ends by itself: it goes on after a connection that could not be accepted.
    axum::serve(listener, router).await.ok();
}

/// Opens the WebSocket of a tab. The guard has let it through; the token comes with its first message.
async fn events(State(site): State<Site>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(place) = Arc::clone(&site.tabs).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many tabs are open").into_response();
    };
    upgrade.max_message_size(MESSAGE_MAX).max_frame_size(MESSAGE_MAX).on_upgrade(async move |socket| {
        tab::serve(socket, &site).await;
        drop(place);
    })
}

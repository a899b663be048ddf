//! The files of the page, embedded in the binary.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

/// A file.
pub(super) struct Asset {
    pub(super) path: &'static str,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    pub(super) fn response(&self) -> Response {
        ([(CONTENT_TYPE, self.media_type)], self.content).into_response()
    }
}

macro_rules! assets {
    ($($path:literal $media_type:ident $file:literal,)*) => {
        &[$(Asset { path: $path, media_type: $media_type, content: include_str!(concat!("assets/", $file)) },)*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// All files.
pub(super) const ALL: &[Asset] = assets! {
    "/" HTML "index.html",
    "/style.css" CSS "style.css",
    "/icon.svg" SVG "icon.svg",
    "/main.js" JS "main.js",
    "/connection.js" JS "connection.js",
    "/state.js" JS "state.js",
    "/elements.js" JS "elements.js",
    "/producer.js" JS "producer.js",
    "/topic.js" JS "topic.js",
    "/groups.js" JS "groups.js",
    "/flights.js" JS "flights.js",
    "/account.js" JS "account.js",
    "/timeline.js" JS "timeline.js",
    "/stories.js" JS "stories.js",
};

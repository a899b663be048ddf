//! The subcommand `healthcheck`: asks a running service whether it is ready, for images that hold no shell and no client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use kafka_config::Environment;
use tokio::net::TcpStream;

use crate::failure::Failure;
use crate::http::reachable;

/// Below what who runs a check gives it, so that the reason is told and not the timeout.
const TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_MAX_BYTES: usize = 4096;

/// Asks the service with this process' `HTTP_ADDR` for `/readyz`, and prints its answer: 0 when it is ready, 1 when it is
/// not or does not answer, 64 without an address.
#[must_use]
pub(crate) fn healthcheck() -> ExitCode {
    let address = match kafka_config::http_addr(&Environment::of_process()) {
        Ok(address) => reachable(address),
        Err(problems) => {
            let failure = Failure::Settings(problems);
            eprintln!("{failure}");
            return ExitCode::from(failure.exit_code());
        }
    };
    let asked =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime").and_then(|runtime| {
            runtime.block_on(async {
                let answer = tokio::time::timeout(TIMEOUT, ask(address)).await;
                answer.with_context(|| format!("no answer within {} s", TIMEOUT.as_secs()))?
            })
        });
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("not ready: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(address: std::net::SocketAddr) -> Result<()> {
    let stream = TcpStream::connect(address).await.context("the service does not listen")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the runtime.
    tokio::spawn(connection);
    let request = Request::get("/readyz").header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error)).context("the answer could not be read")?.to_bytes();
    if status != StatusCode::OK {
        bail!("{}", String::from_utf8_lossy(&body).trim_end());
    }
    Ok(())
}

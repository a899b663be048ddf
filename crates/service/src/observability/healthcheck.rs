//! The subcommand `healthcheck` asks a running service whether it is ready. It serves images that contain neither a shell nor an HTTP
//! client.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use kafka_config::Environment;
use tokio::net::TcpStream;

use super::http::connect_address;
use crate::process::failure::Failure;
use crate::process::stderr::tell;

/// Shorter than the timeouts that Docker and Kubernetes apply to a health check, so that they show the reason and not a timeout.
const TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_MAX_BYTES: usize = 4096;

/// Requests `/readyz` from the service at `HTTP_ADDR` and prints the answer if it is not ready. Exits with 0 if the service is ready,
/// with 1 if it is not or does not answer, and with 64 if the address is missing or wrong.
#[must_use]
pub(crate) fn healthcheck() -> ExitCode {
    let address = match kafka_config::http_addr(&Environment::of_process()) {
        Ok(address) => connect_address(address),
        Err(problems) => {
            let failure = Failure::Settings(problems);
            tell(&failure);
            return ExitCode::from(failure.exit_code());
        }
    };
    let asked = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the async runtime")
        .and_then(|runtime| {
            runtime.block_on(async {
                let answer = tokio::time::timeout(TIMEOUT, ask(address)).await;
                answer.with_context(|| format!("no answer within {} s", TIMEOUT.as_secs()))?
            })
        });
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("not ready: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn ask(address: std::net::SocketAddr) -> Result<()> {
    let stream = TcpStream::connect(address).await.context("nothing listens at HTTP_ADDR")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The task ends with the runtime.
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

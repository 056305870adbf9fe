//! One request to one who is told: limited in time, never repeated, and never shown with its
//! address.

use std::error::Error as _;

use reqwest::{Client, Method, redirect};

use super::delivery::LIMIT;
use crate::job::{Address, Secret};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) content_type: Option<&'static str>,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) body: Vec<u8>,
}

/// Sends a request.
///
/// # Errors
///
/// Why it did not arrive or was refused, without the address.
pub(super) async fn send(
    method: Method,
    address: &Address,
    message: Message,
) -> Result<(), String> {
    // Another part of the program may have installed a provider already, which works as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::limited(MAX_REDIRECTS))
        .timeout(LIMIT)
        .user_agent(concat!("airudder-export/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| described(&error))?;
    let mut request = client.request(method, address.url());
    if let Some(content_type) = message.content_type {
        request = request.header("content-type", content_type);
    }
    for (name, value) in &message.headers {
        request = request.header(name, value.expose());
    }
    let response = request.body(message.body).send().await;
    let status = response.map_err(|error| described(&error))?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("it answered HTTP {}", status.as_u16()))
    }
}

/// The error without its address, which may be a secret.
fn described(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no response within {} s", LIMIT.as_secs());
    }
    if error.is_builder() {
        return "its address or a header can't be used".to_owned();
    }
    let mut text = String::from(if error.is_connect() {
        "no connection"
    } else {
        "the request failed"
    });
    let mut source = error.source();
    while let Some(cause) = source {
        source = cause.source();
        if source.is_none() {
            text.push_str(": ");
            text.push_str(&cause.to_string());
        }
    }
    text
}

//! Sees whether the store accepts credentials, and turns its word that they have expired into an error
//! after which a request is repeated with new ones.
//!
//! It reads the body of a refusal and nothing else, and changes no answer that says something else.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};

use super::Credentials;
use super::used::Used;
use crate::store::object::error_code::{OF_EXPIRY, code};

/// A client that watches over credentials.
#[derive(Debug)]
pub(in crate::store::object) struct Watched<C> {
    pub(in crate::store::object) connector: C,
    pub(in crate::store::object) credentials: Credentials,
}

impl<C: HttpConnector> HttpConnector for Watched<C> {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service {
            client: self.connector.connect(options)?,
            credentials: self.credentials.clone(),
        }))
    }
}

#[derive(Debug)]
struct Service {
    client: HttpClient,
    credentials: Credentials,
}

impl HttpService for Service {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let used = Used::by(&request);
            // The answer to such a request has no body, and so no code.
            let is_head = request.method().as_str() == "HEAD";
            let answer = self.client.execute(request).await?;
            let Some(used) = used else {
                return Ok(answer);
            };
            let status = answer.status().as_u16();
            if !matches!(status, 400 | 401 | 403) {
                if status < 500 {
                    self.credentials.accepted(&used);
                }
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            let body = body.bytes().await?;
            let told = std::str::from_utf8(&body).ok().and_then(code);
            let is_expired = match told {
                Some(code) => OF_EXPIRY.contains(&code),
                None => is_head && status == 400,
            };
            if is_expired && self.credentials.expired(&used) {
                return Err(HttpError::new(HttpErrorKind::Unknown, Expired));
            }
            Ok(HttpResponse::from_parts(head, body.into()))
        })
    }
}

/// The store said that credentials have expired, and there may be others.
#[derive(Debug)]
struct Expired;

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store says that the credentials have expired")
    }
}

impl Error for Expired {}

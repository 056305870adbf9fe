//! Drops foreign keys from listings: `a//b`, `a/../b`, control characters. Other tools create such
//! objects, and `object_store` fails a whole page of a listing for one of them. They are removed
//! from the answer before it is parsed, and logged once.
//!
//! This module never looks at anything but the answers to listings.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::path::Path;

/// An entry of a listing, and where its key is, in the XML of S3 and Google, and of Azure.
const ENTRIES: [(&str, &str); 4] = [
    ("Contents", "Key"),
    ("CommonPrefixes", "Prefix"),
    ("Blob", "Name"),
    ("BlobPrefix", "Name"),
];

/// The default client, with filtered listings.
#[derive(Debug, Default)]
pub(super) struct Connector(ReqwestConnector);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Service(HttpClient);

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
            let query = request.uri().query().unwrap_or_default();
            let is_listing = query.contains("list-type=2") || query.contains("comp=list");
            let answer = self.0.execute(request).await?;
            if !is_listing || !answer.status().is_success() {
                return Ok(answer);
            }
            let (head, body) = answer.into_parts();
            let body = body.bytes().await?;
            let text = std::str::from_utf8(&body)
                .map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
            let body = match without_odd(text) {
                Some(clean) => clean.into_bytes().into(),
                None => body.into(),
            };
            Ok(HttpResponse::from_parts(head, body))
        })
    }
}

/// The listing without entries whose keys are invalid; `None` if there are no such entries.
fn without_odd(xml: &str) -> Option<String> {
    let mut odd: Vec<Range<usize>> = Vec::new();
    for (entry, key) in ENTRIES {
        let (open, close) = (format!("<{entry}>"), format!("</{entry}>"));
        let mut at = 0;
        while let Some(start) = xml[at..].find(&open).map(|start| at + start) {
            let Some(end) = xml[start..].find(&close) else {
                break;
            };
            let end = start + end + close.len();
            let name = within(&xml[start..end], key).map(unescaped);
            if let Some(name) = name.filter(|name| Path::parse(name).is_err()) {
                tracing::warn!(
                    name: "odd_key",
                    key = ?name,
                    "an object below the prefix has a key that is passed over: it is none of the lake's"
                );
                odd.push(start..end);
            }
            at = end;
        }
    }
    if odd.is_empty() {
        return None;
    }
    odd.sort_unstable_by_key(|range| range.start);
    let (mut clean, mut at) = (String::with_capacity(xml.len()), 0);
    for range in odd {
        clean.push_str(&xml[at..range.start]);
        at = range.end;
    }
    clean.push_str(&xml[at..]);
    Some(clean)
}

fn within<'a>(entry: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = entry.split_once(&format!("<{key}>"))?;
    rest.split_once(&format!("</{key}>")).map(|parts| parts.0)
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((name, behind)) = after.split_once(';') else {
            plain.push('&');
            rest = after;
            continue;
        };
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok();
        let sign = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => name
                .strip_prefix("#x")
                .and_then(|digits| number(digits, 16))
                .or_else(|| name.strip_prefix('#').and_then(|digits| number(digits, 10)))
                .and_then(char::from_u32),
        };
        match sign {
            Some(sign) => {
                plain.push(sign);
                rest = behind;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_cannot_be_used_are_left_out_and_no_others() {
        let entry = |key: &str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
        let good = [
            "lake/calls/a.parquet",
            "lake/x &amp; y",
            "lake/folder/",
            "lake/日本",
        ];
        let bad = [
            "lake/calls//a",
            "lake/../a",
            "lake/./a",
            "lake/a&#x1;b",
            "lake//",
        ];
        let keys = good.iter().chain(&bad);
        let xml: String = keys.map(|key| entry(key)).collect();
        let wanted: String = good.iter().map(|key| entry(key)).collect();
        let around = |inner: &str| {
            format!("<ListBucketResult><Prefix>lake//</Prefix>{inner}</ListBucketResult>")
        };
        assert_eq!(without_odd(&around(&xml)), Some(around(&wanted)));
        assert_eq!(without_odd(&around(&wanted)), None);
        let azure = "<Blobs><Blob><Name>a//b</Name></Blob><BlobPrefix><Name>c//</Name></BlobPrefix></Blobs>";
        assert_eq!(without_odd(azure).as_deref(), Some("<Blobs></Blobs>"));
    }
}

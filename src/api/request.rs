//! Requests as data: address and parameters.

use indexmap::IndexMap;
use serde_json::Value;
use url::Url;

use super::error::ApiError;
use crate::decode::json::Json;
use crate::event::Endpoint;
use crate::job::{ApiOptions, Method};
use crate::task::{TaskId, WorkflowId};

/// One request, without its token. Not `Debug`: a sign-in carries the secret.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) endpoint: Endpoint,
    pub(crate) url: Url,
    /// JSON text for `POST`; `None` for `GET`.
    pub(crate) body: Option<String>,
    /// The task it requests.
    pub(crate) task: Option<TaskId>,
    /// The workflow whose tasks it lists.
    pub(crate) workflow: Option<WorkflowId>,
}

/// Parameters in the order they are sent, as JSON text. A later one replaces an earlier one of the
/// same name.
#[derive(Clone, Default)]
pub(crate) struct Params(IndexMap<String, String>);

impl Params {
    pub(crate) fn insert(&mut self, name: String, value: &Value) {
        self.insert_json(name, value.to_string());
    }

    /// Inserts a value as JSON text: a vendor's value is sent back character for character.
    pub(crate) fn insert_json(&mut self, name: String, json: String) {
        self.0.insert(name, json);
    }

    fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            json.push_str(&Value::from(name.as_str()).to_string());
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        json
    }
}

impl FromIterator<(String, Value)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(params: I) -> Self {
        let params = params.into_iter();
        Self(
            params
                .map(|(name, value)| (name, value.to_string()))
                .collect(),
        )
    }
}

impl Request {
    pub(crate) fn new(endpoint: Endpoint, method: Method, url: &Url, params: &Params) -> Self {
        let mut url = url.clone();
        let body = match method {
            Method::Get => {
                let mut query = url.query_pairs_mut();
                for (name, value) in &params.0 {
                    query.append_pair(name, &plain(value));
                }
                drop(query);
                None
            }
            Method::Post => Some(params.to_json()),
        };
        Self {
            endpoint,
            url,
            body,
            task: None,
            workflow: None,
        }
    }

    /// Sets the workflow, for messages.
    pub(crate) fn of_workflow(self, workflow: Option<&WorkflowId>) -> Self {
        Self {
            workflow: workflow.cloned(),
            ..self
        }
    }

    /// Sets the task, for messages.
    pub(crate) fn of_task(self, task: &TaskId) -> Self {
        Self {
            task: Some(task.clone()),
            ..self
        }
    }
}

/// A parameter in query form: strings without quotes.
fn plain(json: &str) -> String {
    let text = Json::parse(json.as_bytes()).ok().and_then(Json::text);
    text.unwrap_or_else(|| json.to_owned())
}

/// The addresses of the four calls, validated once.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) auth: Url,
    pub(crate) list_workflows: Url,
    pub(crate) list_tasks: Url,
    pub(crate) task_detail: Url,
}

impl Addresses {
    pub(crate) fn new(options: &ApiOptions) -> Result<Self, ApiError> {
        let base = &options.base_url;
        check(base, options.allow_insecure)?;
        let profile = &options.profile;
        Ok(Self {
            auth: below(base, &profile.auth_path, "auth_path")?,
            list_workflows: below(base, &profile.list_workflows.path, "list_workflows.path")?,
            list_tasks: below(base, &profile.list_tasks.path, "list_tasks.path")?,
            task_detail: below(base, &profile.task_detail.path, "task_detail.path")?,
        })
    }
}

/// Checks that a token may be sent to a base URL.
fn check(base: &Url, allow_insecure: bool) -> Result<(), ApiError> {
    let wrong = |reason: &str| {
        Err(ApiError::Settings {
            reason: reason.to_owned(),
        })
    };
    if !base.username().is_empty() || base.password().is_some() {
        return wrong("`base_url` must not hold a user name or a password");
    }
    match base.scheme() {
        "https" => Ok(()),
        "http" if allow_insecure || is_loopback(base) => Ok(()),
        "http" => wrong(
            "`base_url` is plain http to another machine, which would show the secret to everybody \
             on the way; use https, or `allow_insecure` if you must",
        ),
        _ => wrong("`base_url` must be an https address"),
    }
}

/// Whether the address is this machine.
pub(crate) fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn below(base: &Url, path: &str, setting: &str) -> Result<Url, ApiError> {
    let wrong = || ApiError::Settings {
        reason: format!("`base_url` and `api.{setting}` together are no address"),
    };
    if !path.starts_with('/') {
        return Err(wrong());
    }
    let mut base = base.clone();
    base.set_query(None);
    base.set_fragment(None);
    let url: Url = format!("{}{path}", base.as_str().trim_end_matches('/'))
        .parse()
        .map_err(|_| wrong())?;
    if url.origin() == base.origin() {
        Ok(url)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("valid")
    }

    #[rstest]
    #[case("https://api.airudder.com", false, true)]
    #[case("http://127.0.0.1:8080", false, true)]
    #[case("http://[::1]:8080", false, true)]
    #[case("http://localhost:8080", false, true)]
    #[case("http://api.airudder.com", false, false)]
    #[case("http://localhost.example.com", false, false)]
    #[case("http://127.0.0.1.example.com", false, false)]
    #[case("http://api.airudder.com", true, true)]
    #[case("https://key:secret@api.airudder.com", true, false)]
    #[case("ftp://api.airudder.com", true, false)]
    fn plain_http_is_for_loopback(#[case] base: &str, #[case] allow: bool, #[case] good: bool) {
        let checked = check(&url(base), allow);
        assert_eq!(checked.is_ok(), good);
        if let Err(error) = checked {
            assert!(error.to_string().contains("base_url"), "{error}");
            assert!(!error.to_string().contains("secret@"), "{error}");
        }
    }

    #[rstest]
    #[case("https://h", "/a/b", "https://h/a/b")]
    #[case("https://h/", "/a", "https://h/a")]
    #[case("https://h/prefix/", "/a", "https://h/prefix/a")]
    #[case("https://h/?x=1#f", "/a", "https://h/a")]
    #[case("https://h", "//evil/a", "https://h//evil/a")]
    #[case("https://h", "/a?fixed=1", "https://h/a?fixed=1")]
    fn paths_go_below_the_base(#[case] base: &str, #[case] path: &str, #[case] full: &str) {
        assert_eq!(
            below(&url(base), path, "x").expect("an address").as_str(),
            full
        );
    }

    #[rstest]
    #[case(".evil.com/a")]
    #[case("@evil.com/a")]
    #[case(":8080/a")]
    fn a_path_cannot_change_the_host(#[case] path: &str) {
        assert!(below(&url("https://h"), path, "x").is_err());
    }

    #[test]
    fn parameters_go_into_the_query_or_the_body() {
        let params: Params = [
            ("page".to_owned(), json!(1)),
            ("from".to_owned(), json!("2024-03-11T00:00:00Z")),
            ("only".to_owned(), json!(true)),
        ]
        .into_iter()
        .collect();
        let address = url("https://h/a");
        let get = Request::new(Endpoint::ListTasks, Method::Get, &address, &params);
        assert_eq!(
            get.url.query(),
            Some("page=1&from=2024-03-11T00%3A00%3A00Z&only=true")
        );
        assert_eq!(get.body, None);
        let post = Request::new(Endpoint::ListTasks, Method::Post, &address, &params);
        assert_eq!(post.url.query(), None);
        assert_eq!(
            post.body.as_deref(),
            Some(r#"{"page":1,"from":"2024-03-11T00:00:00Z","only":true}"#)
        );
    }
}

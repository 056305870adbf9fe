//! Which credentials signed a request.

use object_store::aws::AwsCredential;
use object_store::client::HttpRequest;
use zeroize::Zeroizing;

/// What a request was signed with, as its headers tell.
pub(super) struct Used {
    key_id: String,
    token: Option<Zeroizing<Vec<u8>>>,
}

impl Used {
    pub(super) fn by(request: &HttpRequest) -> Option<Self> {
        let header = |name| request.headers().get(name);
        let signature = header("authorization")?.to_str().ok()?;
        let (_, scope) = signature.split_once("Credential=")?;
        let (key_id, _) = scope.split_once('/')?;
        let token = header("x-amz-security-token");
        Some(Self {
            key_id: key_id.to_owned(),
            token: token.map(|token| Zeroizing::new(token.as_bytes().to_vec())),
        })
    }

    #[cfg(test)]
    pub(super) fn of(credential: &AwsCredential) -> Self {
        let token = credential.token.as_ref();
        Self {
            key_id: credential.key_id.clone(),
            token: token.map(|token| Zeroizing::new(token.clone().into_bytes())),
        }
    }

    pub(super) fn is(&self, credential: &AwsCredential) -> bool {
        let token = self.token.as_ref().map(|token| token.as_slice());
        self.key_id == credential.key_id && token == credential.token.as_ref().map(String::as_bytes)
    }
}

//! Checks the CA certificates named in the environment (`SSL_CERT_FILE`, `SSL_CERT_DIR`). The TLS
//! library reads these variables itself: if one is set, the system's certificates are not used, and
//! what cannot be read is left out without a word.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::environment::{CA_FILE, CA_FOLDERS, Environment};
use super::error::SettingsError;

/// Checks that each named file and folder can be read, and that at least one certificate is there.
///
/// # Errors
///
/// The variable, and what cannot be used.
pub(super) fn check(env: &Environment) -> Result<(), SettingsError> {
    let mut found = 0;
    let mut last = None;
    if let Some(file) = env.path(CA_FILE) {
        let file = PathBuf::from(file);
        let count = in_file(&file).map_err(|problem| wrong(CA_FILE, &file, problem))?;
        if count == 0 {
            let problem = "it contains no certificate in PEM format".to_owned();
            return Err(wrong(CA_FILE, &file, problem));
        }
        found += count;
    }
    let folders = env.path(CA_FOLDERS).unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty()) {
        let entries = std::fs::read_dir(&folder)
            .map_err(|error| wrong(CA_FOLDERS, &folder, format!("it cannot be read: {error}")))?;
        // Other files may be there: keys, or links to nothing.
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        found += files.map(|path| in_file(&path).unwrap_or(0)).sum::<usize>();
        last = Some(folder);
    }
    match last {
        Some(folder) if found == 0 => {
            let problem = "it contains no file with a certificate in PEM format".to_owned();
            Err(wrong(CA_FOLDERS, &folder, problem))
        }
        _ => Ok(()),
    }
}

/// The number of certificates in a file.
fn in_file(path: &Path) -> Result<usize, String> {
    if path.is_dir() {
        return Err("it is a folder; SSL_CERT_DIR names folders".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(CertificateDer::pem_slice_iter(&bytes).flatten().count())
}

fn wrong(variable: &'static str, path: &Path, problem: String) -> SettingsError {
    SettingsError::Certificates {
        variable,
        path: PathBuf::from(path),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_cannot_be_used_is_named_with_its_variable() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir(at("empty")).expect("made");
        std::fs::create_dir(at("some")).expect("made");
        for (name, text) in [
            ("ca.pem", PEM),
            ("text", "no certificate"),
            ("some/ca", PEM),
        ] {
            std::fs::write(at(name), text).expect("written");
        }
        let checked = |variable: &str, value: String| {
            check(&Environment::of([(variable, value)])).map_err(|error| error.to_string())
        };
        let path = |name: &str| at(name).display().to_string();
        for (variable, name, part) in [
            (CA_FILE, "missing", "cannot be read: No such file"),
            (CA_FILE, "text", "no certificate in PEM"),
            (CA_FILE, "some", "SSL_CERT_DIR names folders"),
            (CA_FOLDERS, "missing", "cannot be read: No such file"),
            (CA_FOLDERS, "empty", "no file with a certificate"),
            (CA_FOLDERS, "ca.pem", "cannot be read"),
        ] {
            let error = checked(variable, path(name)).expect_err(name);
            assert!(error.contains(variable) && error.contains(part), "{error}");
            assert!(error.contains(&path(name)), "{error}");
        }
        assert_eq!(checked(CA_FILE, path("ca.pem")), Ok(()));
        let folders = std::env::join_paths([at("empty"), at("some")]).expect("paths");
        let folders = folders.into_string().expect("text");
        assert_eq!(checked(CA_FOLDERS, folders), Ok(()));
        assert_eq!(
            check(&Environment::default()).map_err(|e| e.to_string()),
            Ok(())
        );
    }
}

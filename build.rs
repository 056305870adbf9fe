//! Records what `airudder-export --version --verbose` prints: commit, target, features, compiler.

#![allow(
    clippy::disallowed_methods,
    reason = "cargo tells a build script everything in the environment"
)]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    let is_release = variable("PROFILE") == "release";
    // A debug build would be made anew for each commit.
    let commit = if is_release {
        for path in ["HEAD", "logs/HEAD"] {
            if let Some(path) = output("git", &["rev-parse", "--git-path", path]) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        output("git", &["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
    } else {
        "not recorded in a debug build".to_owned()
    };
    let mut features: Vec<String> = env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()))
        .map(|name| name.replace('_', "-"))
        .filter(|name| name != "default")
        .collect();
    features.sort();
    let features = if features.is_empty() {
        "none".to_owned()
    } else {
        features.join(", ")
    };
    let rustc = output(&variable("RUSTC"), &["--version"]).unwrap_or_default();
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=BUILD_TARGET={}", variable("TARGET"));
    println!("cargo::rustc-env=BUILD_FEATURES={features}");
    println!("cargo::rustc-env=BUILD_RUSTC={rustc}");
}

/// What a program prints on one line, if it succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

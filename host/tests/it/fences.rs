//! Which modules may use what, as `host/src/lib.rs` documents.

use std::fs;
use std::path::Path;

use crate::support::tests;

/// A word, and the only paths under `host/src` whose code may contain it.
const FENCES: &[(&str, &[&str])] = &[
    ("wasmtime", &["plugin.rs", "plugin/"]),
    (
        "aws_sdk_cognitoidentityprovider",
        &["cognito.rs", "cognito/"],
    ),
    ("aws_sdk_cloudformation", &["bin/poolhook/pools/stacks.rs"]),
    ("aws_sdk_dynamodb", &["store/dynamodb.rs"]),
    ("aws_sdk_iam", &["bin/poolhook/pools/roles.rs"]),
    ("aws_sdk_lambda", &["bin/poolhook/pools/lambda.rs"]),
    ("aws_sdk_s3", &["blobs/s3.rs"]),
    ("aws_config", &["aws.rs"]),
    ("aws_credential_types", &["aws.rs"]),
    ("strsim", &["config/words.rs"]),
    ("quick_cache", &["cache.rs"]),
    ("rusqlite", &["store/sqlite.rs"]),
    (
        "lambda_runtime",
        &["bin/bootstrap.rs", "bin/bootstrap/", "bin/publisher.rs"],
    ),
    (
        "futures_util",
        &[
            "bin/bootstrap.rs",
            "bin/poolhook/pools/many.rs",
            "publish/followers.rs",
        ],
    ),
    ("percent_encoding", &["bin/publisher/"]),
    ("aws_lambda_events", &["bin/publisher/"]),
    ("tracing", &["blobs/dir.rs", "log.rs"]),
    (
        "tempfile",
        &[
            "bin/poolhook/plugin/new.rs",
            "bin/poolhook/pools/snapshot.rs",
            "blobs/dir.rs",
            "plugin/artifact.rs",
        ],
    ),
    ("axum", &["bin/poolhook/serve.rs"]),
    ("wit_component", &["bin/poolhook/plugin/build.rs"]),
    ("indicatif", &["bin/poolhook/"]),
    ("clap", &["bin/poolhook/"]),
    ("anyhow", &["bin/poolhook/"]),
    ("println!", &["bin/"]),
    ("env::", &["bin/"]),
    ("unsafe ", &["plugin.rs", "plugin/code.rs"]),
    (
        "rustix",
        &[
            "blobs/dir.rs",
            "plugin/artifact.rs",
            "plugin/code.rs",
            "plugin/error.rs",
            "publish/child.rs",
            "publish/compile.rs",
            "publish/confine.rs",
        ],
    ),
    ("landlock", &["publish/confine.rs"]),
    ("seccompiler", &["publish/confine.rs"]),
    ("libc::", &["publish/confine.rs"]),
    ("struson", &["config/values.rs", "item/json.rs"]),
    ("tokio::process", &["publish/compile.rs"]),
    // One direction only: these modules must not depend on those that use them.
    ("std::fs", &["blobs/dir.rs", "plugin/artifact.rs", "bin/"]),
    (
        "crate::aws",
        &[
            "blobs/location.rs",
            "blobs/s3.rs",
            "cognito.rs",
            "cognito/",
            "store/dynamodb.rs",
        ],
    ),
    (
        "crate::blobs",
        &[
            "replay.rs",
            "replay/",
            "blobs/",
            "dead_letters.rs",
            "failure.rs",
            "plugins.rs",
            "pools.rs",
            "publish.rs",
            "publish/",
            "releases.rs",
            "releases/",
        ],
    ),
    (
        "crate::store",
        &["replay.rs", "report.rs", "store/", "host.rs", "failure.rs"],
    ),
    (
        "crate::plugin::",
        &[
            "plugin.rs",
            "plugin/",
            "plugins.rs",
            "publish.rs",
            "publish/",
            "host.rs",
            "failure.rs",
            "report.rs",
            "sources.rs",
        ],
    ),
    (
        "crate::releases::",
        &["failure.rs", "plugins.rs", "publish.rs", "publish/"],
    ),
    ("crate::cache", &["plugins.rs", "pools.rs"]),
    (
        "crate::failure",
        &[
            "dead_letters.rs",
            "replay.rs",
            "host.rs",
            "notice.rs",
            "plugins.rs",
            "pools.rs",
            "publish.rs",
            "publish/followers.rs",
            "report.rs",
            "sources.rs",
        ],
    ),
    ("crate::background", &["sources.rs"]),
    ("crate::sources", &["host.rs"]),
    ("crate::dead_letters", &["host.rs", "replay.rs", "replay/"]),
    (
        "crate::pools",
        &[
            // The command line's own module of that name.
            "bin/poolhook/pools/",
            "host.rs",
            "publish/followers.rs",
            "sources.rs",
        ],
    ),
    ("crate::plugins", &["host.rs", "sources.rs"]),
    ("crate::report", &["replay.rs", "host.rs", "notice.rs"]),
];

#[test]
fn each_dependency_is_used_only_where_it_may_be() {
    let mut broken = Vec::new();
    let mut seen = vec![false; FENCES.len()];
    visit(&tests("../src"), &mut |path, text| {
        for (index, (word, locations)) in FENCES.iter().enumerate() {
            let code = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with("//"));
            for line in code.filter(|line| line.contains(word)) {
                seen[index] = true;
                if !locations.iter().any(|folder| path.starts_with(folder)) {
                    broken.push(format!("{path}: {word}: {line}"));
                }
            }
        }
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let unseen = FENCES.iter().zip(seen).filter(|(_, seen)| !seen);
    let unseen: Vec<_> = unseen.map(|((word, _), _)| word).collect();
    assert!(unseen.is_empty(), "nobody names {unseen:?} any more");
}

fn visit(folder: &Path, look: &mut impl FnMut(&str, &str)) {
    let root = tests("../src").canonicalize().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().canonicalize().unwrap();
        if path.is_dir() {
            visit(&path, look);
        } else {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            look(name, &fs::read_to_string(&path).unwrap());
        }
    }
}

//! The repository's `plugins/<language>`, as `plugin new` copies them.

use clap::ValueEnum;

/// A language that there is a kit for.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Language {
    Rust,
    #[value(alias = "ts")]
    Typescript,
    #[value(alias = "py")]
    Python,
    C,
}

impl Language {
    pub(super) const fn kit(self) -> &'static Kit {
        match self {
            Self::Rust => &RUST,
            Self::Typescript => &TYPESCRIPT,
            Self::Python => &PYTHON,
            Self::C => &C,
        }
    }
}

/// A file's path in the new project, and what it holds in the repository.
type File = (&'static str, &'static [u8]);

/// Files of a folder of the repository, and the folder they go to.
macro_rules! files {
    ($($from:literal => $into:literal: $($file:literal)*;)+) => {
        &[$($((
            concat!($into, $file),
            include_bytes!(concat!("../../../../../../", $from, $file)),
        ),)*)+]
    };
}

pub(super) struct Kit {
    /// The folder's name in `plugins`, which the new plugin's takes the place of.
    pub(super) name: &'static str,
    pub(super) files: &'static [File],
    /// What gives way to what in its files, before `PATHS` and `NAMED`.
    pub(super) replace: &'static [(&'static str, &'static str)],
    /// Testing and building.
    pub(super) commands: &'static [&'static str],
}

/// A sample event, for all.
pub(super) const EVENT: File = (
    "event.json",
    include_bytes!("../../../../../tests/events/confirm-sign-up.json"),
);

/// Some cases for `plugin test`. Every kit maps alike, so they fit each.
pub(super) const CASES: &[File] = files! {
    "host/tests/conformance/cases/" => "cases/":
        "full-user/event.json" "full-user/item.json" "internal/event.json"
        "internal/skip.txt" "seats-no-number/event.json" "seats-no-number/error.txt";
};

/// What lies elsewhere in the repository, and where it lies in a new project.
pub(super) const PATHS: &[(&str, &str)] = &[
    ("../../../wit", "wit"),
    // From the crate for authors.
    ("../../wit", "wit"),
    (
        "../../../host/tests/events/confirm-sign-up.json",
        "event.json",
    ),
    ("../../../host/tests/conformance/cases", "cases"),
];

/// Where a kit's name stands, for `*`.
pub(super) const NAMED: &[&str] = &["*.wasm", "name = \"*\"", "\"name\": \"*\""];

const RUST: Kit = Kit {
    name: "rust",
    files: files! {
        "plugins/templates/rust/" => "": ".gitignore" "Cargo.toml" "README.md" "src/lib.rs";
        // The crate for authors is on no registry.
        "plugins/sdk/" => "poolhook-plugin/":
            "Cargo.toml" "README.md" "src/item.rs" "src/lib.rs" "src/log.rs" "src/user.rs";
        "plugins/heap/" => "poolhook-plugin/heap/": "Cargo.toml" "src/lib.rs";
        "wit/" => "poolhook-plugin/wit/": "mapper.wit";
    },
    replace: &[
        (
            "\n[lib]\n",
            "\n# Not part of a workspace that it may lie in.\n[workspace]\n\n[lib]\n",
        ),
        ("../../sdk", "poolhook-plugin"),
        ("../heap", "heap"),
    ],
    commands: &["cargo test", "poolhook plugin build"],
};

const TYPESCRIPT: Kit = Kit {
    name: "typescript",
    files: files! {
        "plugins/templates/typescript/" => "":
            ".gitignore" "README.md" "config/host.toml" "package-lock.json" "package.json"
            "src/mapper.ts" "src/wit.d.ts" "test/log.js" "test/mapper.test.ts"
            "test/tsconfig.json" "tsconfig.json";
        "wit/" => "wit/": "mapper.wit";
    },
    replace: &[],
    commands: &["npm install", "npm test", "npm run build"],
};

const PYTHON: Kit = Kit {
    name: "python",
    files: files! {
        "plugins/templates/python/" => "":
            ".gitignore" "Makefile" "README.md" "config/host.toml" "mapper.py"
            "requirements.txt" "test_mapper.py";
        "wit/" => "wit/": "mapper.wit";
    },
    replace: &[],
    commands: &["make test", "make"],
};

const C: Kit = Kit {
    name: "c",
    files: files! {
        "plugins/templates/c/" => "":
            ".gitignore" "Makefile" "README.md" "bindings/README.md" "bindings/mapper.c"
            "bindings/mapper.h" "bindings/mapper_component_type.o" "plugin.c" "test.c";
        "wit/" => "wit/": "mapper.wit";
    },
    replace: &[],
    commands: &["make test", "make"],
};

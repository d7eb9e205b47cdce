//! The kits in the repository's `plugins/<language>`, which `plugin new` copies.

use clap::ValueEnum;

/// A language with a kit.
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

/// A file's path in the new project, and its content in the repository.
type File = (&'static str, &'static [u8]);

/// Includes files of a folder of the repository, with their new folder.
macro_rules! files {
    ($($from:literal => $into:literal: $($file:literal)*;)+) => {
        &[$($((
            concat!($into, $file),
            include_bytes!(concat!("../../../../../../", $from, $file)),
        ),)*)+]
    };
}

pub(super) struct Kit {
    /// The folder's name in `plugins`; the new plugin's name replaces it.
    pub(super) name: &'static str,
    pub(super) files: &'static [File],
    /// Texts to replace in its files, before `PATHS` and `NAMED`.
    pub(super) replace: &'static [(&'static str, &'static str)],
    /// The commands that test and build the plugin.
    pub(super) commands: &'static [&'static str],
}

/// A sample event for every kit.
pub(super) const EVENT: File = (
    "event.json",
    include_bytes!("../../../../../tests/events/confirm-sign-up.json"),
);

/// Cases for `plugin test`. All kits have the same mapping, so the cases fit each.
pub(super) const CASES: &[File] = files! {
    "host/tests/conformance/cases/" => "cases/":
        "full-user/event.json" "full-user/item.json" "internal/event.json"
        "internal/skip.txt" "seats-no-number/event.json" "seats-no-number/error.txt";
};

/// Paths in the repository, and their paths in a new project.
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

/// The texts in which `*` is the kit's name.
pub(super) const NAMED: &[&str] = &["*.wasm", "name = \"*\"", "\"name\": \"*\""];

const RUST: Kit = Kit {
    name: "rust",
    files: files! {
        "plugins/templates/rust/" => "": ".gitignore" "Cargo.toml" "README.md" "src/lib.rs";
        // The crate for authors is not on a registry.
        "plugins/sdk/" => "poolhook-plugin/":
            "Cargo.toml" "README.md" "src/item.rs" "src/lib.rs" "src/log.rs" "src/user.rs";
        "plugins/heap/" => "poolhook-plugin/heap/": "Cargo.toml" "src/lib.rs";
        "wit/" => "poolhook-plugin/wit/": "mapper.wit";
    },
    replace: &[
        (
            "\n[lib]\n",
            "\n# Not part of a workspace in a parent folder.\n[workspace]\n\n[lib]\n",
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

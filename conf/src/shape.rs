//! What a definition may look like: one table of keys and types, for checking and for the JSON Schema.
//!
//! Knows the form of each key, nothing of how they hang together (see `lower`).

use crate::format::KINDS;

/// The form of a value.
#[derive(Debug)]
pub(crate) enum Shape {
    Text,
    Bool,
    /// An integer of at least this.
    Whole(i64),
    Number,
    Duration,
    Size,
    /// A string, number or boolean.
    Scalar,
    /// One of these words.
    Word(&'static [&'static str]),
    List(&'static Shape),
    /// Keys chosen by the user.
    Map(Keys, &'static Shape),
    /// These keys and no others.
    Table(&'static [Field]),
    /// These keys, and others of one form.
    Open(&'static [Field], &'static Shape),
    /// Forms that differ in their TOML type; the words name them all.
    OneOf(&'static str, &'static [Shape]),
    /// Reserved: an error that says so.
    Later(&'static str),
}

/// What keys a user may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Names of nodes, artifacts, variables of ours: letters, digits, `_`, `-`, `.`.
    Name,
    /// Environment variables.
    Variable,
    /// Anything.
    Any,
}

/// A key with its form.
#[derive(Debug)]
pub(crate) struct Field {
    pub key: &'static str,
    pub shape: &'static Shape,
    pub required: bool,
    pub doc: &'static str,
}

const fn field(key: &'static str, shape: &'static Shape, doc: &'static str) -> Field {
    Field {
        key,
        shape,
        required: false,
        doc,
    }
}

const fn needed(key: &'static str, shape: &'static Shape, doc: &'static str) -> Field {
    Field {
        key,
        shape,
        required: true,
        doc,
    }
}

const TEXTS: Shape = Shape::List(&Shape::Text);
const TEXT_OR_TEXTS: Shape = Shape::OneOf("a string or a list of strings", &[Shape::Text, TEXTS]);
const VARIABLES: Shape = Shape::Map(
    Keys::Variable,
    &Shape::OneOf(
        "a string or an integer",
        &[Shape::Text, Shape::Whole(i64::MIN)],
    ),
);

const RETRIES: Shape = Shape::OneOf(
    "a table like { max = 2 } or an integer",
    &[
        Shape::Table(&[
            field("max", &Shape::Whole(0), "Further attempts after the first."),
            field(
                "on",
                &TEXTS,
                "Which failures: timeout, oom, signal, any, exit:CODE.",
            ),
            field("wait", &Shape::Duration, "Pause before an attempt."),
        ]),
        Shape::Whole(0),
    ],
);

const RESOURCES: Shape = Shape::Open(
    &[
        field("cpu", &Shape::Number, "Cores; fractions allowed."),
        field("mem", &Shape::Size, "Memory: \"2GiB\"."),
    ],
    &Shape::Number,
);

const UNDECLARED: Shape = Shape::Word(&["follow", "warn", "error"]);
const ISOLATION: Shape = Shape::Word(&["trace", "strict", "none"]);

const OUT: Shape = Shape::Map(
    Keys::Name,
    &Shape::OneOf(
        "a path or a table like { path = \"…\" }",
        &[
            Shape::Text,
            Shape::Table(&[
                needed(
                    "path",
                    &Shape::Text,
                    "File, or directory with a trailing /.",
                ),
                field(
                    "keep",
                    &Shape::Word(&["store", "run"]),
                    "\"run\": gone after the run.",
                ),
                field(
                    "kind",
                    &Shape::Word(KINDS),
                    "How reports read it, or in which form a function's result lies in it.",
                ),
            ]),
        ],
    ),
);

const IN: Shape = Shape::OneOf(
    "a list of artifact names or a table of alias = \"artifact\"",
    &[TEXTS, Shape::Map(Keys::Name, &TEXT_OR_TEXTS)],
);

const NODE: Shape = Shape::Table(&[
    field(
        "cmd",
        &TEXT_OR_TEXTS,
        "A string for sh, or a list that is executed as it is.",
    ),
    field(
        "call",
        &Shape::Text,
        "A Python function, in place of a command: \"package.module:function\".",
    ),
    field("code", &TEXTS, "Files and globs the command is made of."),
    field("in", &IN, "Artifacts it reads."),
    field("out", &OUT, "Artifacts it makes: name = path."),
    field("params", &TEXTS, "Subtrees of the parameters it sees."),
    field("env", &VARIABLES, "Environment variables; hashed."),
    field("pass_env", &TEXTS, "Variables passed through; not hashed."),
    field(
        "secrets",
        &TEXTS,
        "Variables passed through; never hashed, masked in output.",
    ),
    field(
        "after",
        &TEXTS,
        "Nodes that must come first; order without data.",
    ),
    field("tags", &TEXTS, "For selecting: tag:NAME."),
    field("group", &Shape::Text, "For reports and exports."),
    field(
        "matrix",
        &Shape::Map(Keys::Name, &Shape::List(&Shape::Scalar)),
        "One instance for each combination.",
    ),
    field(
        "skip",
        &Shape::List(&Shape::Map(Keys::Name, &Shape::Scalar)),
        "Combinations to leave out.",
    ),
    field("resources", &RESOURCES, "What it needs while running."),
    field("retries", &RETRIES, "Further attempts."),
    field("timeout", &Shape::Duration, "Limit for an attempt."),
    field(
        "cache",
        &Shape::Bool,
        "false: run each time; true: cache even without outputs.",
    ),
    field(
        "checkpoint",
        &Shape::Text,
        "Directory kept between failed attempts.",
    ),
    field(
        "undeclared",
        &UNDECLARED,
        "What a read of an undeclared file does.",
    ),
    field("isolation", &ISOLATION, "How reads are observed."),
]);

const STORE: Shape = Shape::Table(&[
    field("path", &Shape::Text, "Where results are kept."),
    field(
        "link",
        &Shape::Word(&["auto", "hardlink", "copy"]),
        "How files are laid out.",
    ),
    field("max_size", &Shape::Size, "Limit for gc."),
    field(
        "remote",
        &TEXT_OR_TEXTS,
        "A URL, or several tiers in order.",
    ),
    field("push", &Shape::Bool, "Upload results."),
    field(
        "required",
        &Shape::Bool,
        "Fail where the remote cannot be reached.",
    ),
    field(
        "require",
        &Shape::List(&Shape::Word(&["signed", "traced", "clean"])),
        "What is accepted from a remote.",
    ),
    field(
        "trusted_keys",
        &TEXTS,
        "Public keys whose signatures count.",
    ),
    field(
        "token_env",
        &Shape::Text,
        "Variable that holds the bearer token.",
    ),
    field(
        "headers",
        &Shape::Map(Keys::Any, &Shape::Text),
        "Sent with each request.",
    ),
    field("ca", &Shape::Text, "Certificate authority file."),
    field("client_cert", &Shape::Text, "Client certificate file."),
    field("client_key", &Shape::Text, "Client key file."),
]);

const DEFAULTS: Shape = Shape::Table(&[
    field("timeout", &Shape::Duration, "Limit for an attempt."),
    field("retries", &RETRIES, "Further attempts."),
    field(
        "resources",
        &RESOURCES,
        "What each node needs while running.",
    ),
    field("env", &VARIABLES, "Environment variables; hashed."),
    field("pass_env", &TEXTS, "Variables passed through; not hashed."),
    field(
        "secrets",
        &TEXTS,
        "Variables passed through; never hashed, masked in output.",
    ),
    field(
        "undeclared",
        &UNDECLARED,
        "What a read of an undeclared file does.",
    ),
    field("isolation", &ISOLATION, "How reads are observed."),
]);

const PIPELINE: Shape = Shape::Table(&[
    field("name", &Shape::Text, "The pipeline's name."),
    field(
        "requires",
        &Shape::Text,
        "Versions of jalon this is written for: \">=0.1\".",
    ),
    field("default", &TEXTS, "Targets of a bare `jalon run`."),
    field(
        "params",
        &TEXTS,
        "Parameter files and globs; later ones win.",
    ),
    field(
        "vars",
        &Shape::Map(Keys::Name, &Shape::Scalar),
        "Text for {{NAME}}.",
    ),
    field(
        "caches",
        &TEXTS,
        "Files and globs that tools keep for themselves: neither dependencies nor results.",
    ),
    field(
        "python",
        &Shape::Text,
        "The interpreter of functions (`call`).",
    ),
    field(
        "python_path",
        &TEXTS,
        "Directories in which the modules of functions are found.",
    ),
    field(
        "allow_outside",
        &Shape::Bool,
        "Paths may leave the project.",
    ),
    field(
        "programs",
        &Shape::Word(&["version", "content"]),
        "Whether system programs count by content.",
    ),
]);

const FINALLY: Shape = Shape::Table(&[
    needed(
        "cmd",
        &TEXT_OR_TEXTS,
        "A string for sh, or a list that is executed as it is.",
    ),
    field(
        "when",
        &Shape::Word(&["always", "success", "failure"]),
        "When it runs.",
    ),
    field("env", &VARIABLES, "Environment variables."),
    field("pass_env", &TEXTS, "Variables passed through."),
    field(
        "secrets",
        &TEXTS,
        "Variables passed through, masked in output.",
    ),
    field("timeout", &Shape::Duration, "Limit."),
]);

const HOOK: Shape = Shape::Table(&[
    needed("on", &TEXTS, "Event names; `run.*` and `*` too."),
    needed("run", &TEXTS, "Program and arguments."),
    field(
        "mode",
        &Shape::Word(&["each", "stream"]),
        "A process an event, or one for all.",
    ),
    field(
        "failure",
        &Shape::Word(&["warn", "fail"]),
        "What its failure does.",
    ),
    field("timeout", &Shape::Duration, "Limit; 30 s if not given."),
]);

const IMPORT: Shape = Shape::Table(&[
    field(
        "dvc",
        &Shape::Table(&[
            needed("path", &Shape::Text, "The dvc.yaml."),
            field(
                "prefix",
                &Shape::Text,
                "What its stages are called after: `PREFIX:train`.",
            ),
        ]),
        "The stages of a dvc.yaml.",
    ),
    field(
        "kedro",
        &Shape::Later("importing a Kedro project is"),
        "Not supported yet.",
    ),
]);

/// All that may be overlaid by an environment.
const OVERLAY: [Field; 9] = [
    field("pipeline", &PIPELINE, "The pipeline as a whole."),
    field("store", &STORE, "Where results are kept."),
    field("defaults", &DEFAULTS, "Inherited by every node."),
    field(
        "source",
        &Shape::Map(Keys::Name, &Shape::Text),
        "Artifacts that nothing produces: name = path.",
    ),
    field("node", &Shape::Map(Keys::Name, &NODE), "The steps."),
    field(
        "finally",
        &Shape::Map(Keys::Name, &FINALLY),
        "Steps after the run.",
    ),
    field("hook", &Shape::List(&HOOK), "Programs that observe."),
    field("import", &IMPORT, "Projects of other tools."),
    field(
        "deploy",
        &Shape::Later("`[deploy]` is"),
        "Not supported yet.",
    ),
];

const FIELDS: [Field; 10] = {
    let [
        pipeline,
        store,
        defaults,
        source,
        node,
        finally,
        hook,
        import,
        deploy,
    ] = OVERLAY;
    let env = field(
        "env",
        &Shape::Map(Keys::Name, &Shape::Table(&OVERLAY)),
        "Overlays, by --env NAME.",
    );
    [
        pipeline, env, store, defaults, source, node, finally, hook, import, deploy,
    ]
};

/// `[tool.jalon]` of a Kedro project's `pyproject.toml`.
pub(crate) const TOOL: Shape = Shape::Table(&[
    field("store", &STORE, "Where results are kept."),
    field(
        "kedro",
        &Shape::Table(&[
            field(
                "caches",
                &TEXTS,
                "Paths that belong to tools: logs, caches, reports that nodes write besides.",
            ),
            field(
                "hooks_on_hit",
                &Shape::Bool,
                "Hooks of the run are called although nothing runs.",
            ),
            field(
                "tee",
                &TEXTS,
                "Datasets that are handed on in memory while they are saved; `*` for any name.",
            ),
            field(
                "versions",
                &Shape::Map(Keys::Any, &Shape::Text),
                "dataset = a command for sh that prints which version of it is there.",
            ),
            field(
                "nodes",
                &Shape::Map(
                    Keys::Any,
                    &Shape::Table(&[
                        field("resources", &RESOURCES, "What it needs while running."),
                        field("retries", &RETRIES, "Further attempts."),
                        field("timeout", &Shape::Duration, "Limit for an attempt."),
                        field(
                            "undeclared",
                            &UNDECLARED,
                            "What an undeclared read comes to.",
                        ),
                    ]),
                ),
                "Settings by the name of a node; `*` for any name.",
            ),
        ]),
        "What Kedro does not know.",
    ),
]);

/// `jalon.toml`.
pub(crate) const DEFINITION: Shape = Shape::Table(&FIELDS);

/// The user's own `config.toml`.
pub(crate) const USER: Shape = Shape::Table(&[
    field("store", &STORE, "Where results are kept."),
    field("defaults", &DEFAULTS, "Inherited by every node."),
]);

/// Every table that has fixed keys, with its name for messages and those keys.
pub(crate) const PLACES: [(&str, &Shape); 8] = [
    ("[pipeline]", &PIPELINE),
    ("[store]", &STORE),
    ("[defaults]", &DEFAULTS),
    ("[node.NAME]", &NODE),
    ("[finally.NAME]", &FINALLY),
    ("[[hook]]", &HOOK),
    ("[import]", &IMPORT),
    ("the top level", &DEFINITION),
];

impl Shape {
    /// The fixed keys of a table.
    pub fn fields(&self) -> &'static [Field] {
        match self {
            Shape::Table(fields) | Shape::Open(fields, _) => fields,
            _ => &[],
        }
    }
}

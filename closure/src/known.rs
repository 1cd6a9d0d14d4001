//! What is known of names that come from elsewhere: which modules are Python's own, which functions
//! change nothing, which look into the program by name, which libraries do not read documentation.
//!
//! Lists of what is harmless may be short: what is missing from them counts. Lists of what is dynamic must
//! be long: what is missing from them is not seen.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

/// A list of names, written as words.
pub(crate) struct Names(LazyLock<FxHashSet<&'static str>>);

impl Names {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $words:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) static $name: Names = Names(LazyLock::new(|| $words.split_ascii_whitespace().collect()));
    )*};
}

names! {
    /// Modules of the standard library, of every Python since 3.9.
    STANDARD = "
        __future__ _collections_abc _thread _typeshed abc aifc annotationlib antigravity argparse
        array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins bz2
        cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys
        compileall compression concurrent configparser contextlib contextvars copy copyreg crypt csv
        ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings
        ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools
        gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http
        idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3
        linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder
        msilib msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator
        optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib
        poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data
        pyexpat queue quopri random re readline reprlib resource rlcompleter runpy sched secrets
        select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver
        spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string stringprep
        struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile
        termios textwrap this threading time timeit tkinter token tokenize tomllib trace traceback
        tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid venv
        warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile
        zipimport zlib zoneinfo
    ";

    /// Distributions' modules that do not read the documentation strings of the functions and classes they are given.
    BLIND = "
        PIL altair annoy attr attrs babel bokeh boto3 botocore bottleneck brotli bs4 catboost
        category_encoders certifi cloudpickle colorama cryptography cupy cv2 dask dateutil dill
        dotenv duckdb faiss feature_engine fsspec gcsfs gensim geopandas h5py hdbscan html5lib httpx
        hyperopt imageio imblearn implicit jax jaxlib joblib kedro kedro_datasets keras lightfm
        lightgbm lime loguru lxml lz4 matplotlib mlflow msgpack networkx nltk numba numexpr numpy
        onnx onnxruntime openpyxl optuna orjson packaging pandas plotly pmdarima polars prophet
        psutil psycopg psycopg2 pyarrow pymongo pymysql pyproj pytz rapidfuzz rasterio redis regex
        requests rich s3fs scipy seaborn sentencepiece setuptools shap shapely simplejson six
        skimage sklearn sktime snappy spacy sqlite_utils statsmodels surprise tables tensorflow
        tokenizers toml tomli tomli_w torch torchaudio torchvision tqdm typing_extensions tzdata
        ujson umap urllib3 wandb xarray xgboost xlsxwriter yaml zarr zstandard
    ";

    /// Built-in functions and types that change nothing when called with plain arguments.
    QUIET_BUILTINS = "
        abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate float format
        frozenset hash hex int isinstance issubclass len list max min oct ord pow range repr
        reversed round set slice sorted str sum tuple type zip
    ";

    /// Those that change nothing whatever they are given: they only keep it.
    KEEPING_BUILTINS = "
        classmethod id object property staticmethod super callable
    ";

    /// Built-in types that a class may derive from; every built-in exception besides.
    BUILTIN_TYPES = "
        bool bytearray bytes complex dict float frozenset int list memoryview object property range
        set slice str tuple type
    ";

    /// Functions and types from elsewhere that change nothing when called with plain arguments. Results are plain.
    QUIET_CALLS = "
        collections.Counter collections.OrderedDict collections.defaultdict collections.deque
        datetime.date datetime.datetime datetime.datetime.fromisoformat datetime.datetime.strptime
        datetime.date.fromisoformat datetime.time datetime.timedelta datetime.timezone
        decimal.Decimal fractions.Fraction itertools.chain itertools.combinations
        itertools.permutations itertools.product itertools.repeat json.dumps json.loads math.ceil
        math.cos math.exp math.floor math.log math.log10 math.log2 math.pow math.radians math.sin
        math.sqrt math.tan math.tanh os.environ.get os.getcwd os.getenv os.path.abspath
        os.path.basename os.path.dirname os.path.exists os.path.expanduser os.path.isdir
        os.path.isfile os.path.join os.path.normpath os.path.realpath os.path.splitext os.cpu_count
        pathlib.Path pathlib.Path.cwd pathlib.Path.home pathlib.PurePath pathlib.PurePosixPath
        platform.machine platform.system re.compile re.escape string.Template textwrap.dedent
        types.MappingProxyType types.SimpleNamespace uuid.UUID zoneinfo.ZoneInfo numpy.arange
        numpy.array numpy.asarray numpy.deg2rad numpy.dtype numpy.eye numpy.exp numpy.float32
        numpy.float64 numpy.full numpy.int32 numpy.int64 numpy.linspace numpy.log numpy.ones
        numpy.sqrt numpy.uint8 numpy.zeros pandas.DataFrame pandas.Series pandas.Timedelta
        pandas.Timestamp pandas.to_datetime torch.device torch.tensor
    ";

    /// Functions from elsewhere that only keep what they are given, whatever it is: decorators, fields, types.
    KEEPING_CALLS = "
        abc.abstractmethod attr.define attr.field attr.frozen attr.ib attr.s attrs.define
        attrs.field attrs.frozen collections.namedtuple contextlib.asynccontextmanager
        contextlib.contextmanager contextvars.ContextVar dataclasses.dataclass dataclasses.field
        enum.Enum enum.auto enum.unique functools.cache functools.cached_property
        functools.lru_cache functools.partial functools.singledispatch functools.total_ordering
        functools.wraps logging.getLogger numba.jit numba.njit numba.vectorize operator.attrgetter
        operator.itemgetter pydantic.ConfigDict pydantic.Field pydantic.field_validator
        pydantic.model_validator pydantic.validator threading.Lock threading.RLock threading.local
        torch.inference_mode torch.no_grad typing.Annotated typing.NamedTuple typing.NewType
        typing.ParamSpec typing.TypeVar typing.TypeVarTuple typing.TypedDict typing.cast
        typing.final typing.no_type_check typing.overload typing.override typing.runtime_checkable
        typing_extensions.ParamSpec typing_extensions.TypeVar typing_extensions.override
        typing_extensions.deprecated
    ";

    /// Classes from elsewhere that a class may derive from without being registered anywhere; the standard
    /// library's besides.
    QUIET_BASES = "
        lightning.LightningModule pydantic.BaseModel pydantic_settings.BaseSettings
        pytorch_lightning.LightningModule sklearn.base.BaseEstimator sklearn.base.ClassifierMixin
        sklearn.base.ClusterMixin sklearn.base.RegressorMixin sklearn.base.TransformerMixin
        torch.nn.Module torch.utils.data.Dataset torch.utils.data.IterableDataset
        typing_extensions.NamedTuple typing_extensions.Protocol typing_extensions.TypedDict
    ";

    /// Attributes that run no code of the project when read.
    QUIET_ATTRIBUTES = "
        __doc__ __file__ __module__ __name__ __package__ __qualname__ __wrapped__
    ";

    /// Methods of plain values that change nothing.
    QUIET_METHODS = "
        absolute as_posix capitalize casefold copy count date decode difference encode endswith
        exists expanduser format get index intersection is_dir is_file isdigit isidentifier issubset
        isoformat items join joinpath keys lower lstrip partition relative_to removeprefix
        removesuffix replace resolve rpartition rsplit rstrip split splitlines startswith strftime
        strip title translate union upper values with_name with_suffix zfill
    ";

    /// Attributes of any object with which code looks into the program.
    TELLING_ATTRIBUTES = "
        __builtins__ __doc__ __globals__ __loader__ __subclasses__ f_builtins f_globals f_locals
        getsource getsourcelines
    ";

    /// What reads a module's names as a whole.
    NAMESPACE = "
        globals locals vars dir
    ";

    /// Modules of the standard library that read documentation strings.
    READS_DOCS = "
        doctest inspect pydoc unittest xmlrpc
    ";
}

/// What can reach definitions that no text names: why, and the names. Each stands for everything below it, too;
/// one that ends with `*`, for every name that begins so.
const DYNAMIC: &[(&str, &str)] = &[
    ("looks into the program that runs it", "__main__"),
    (
        "imports a module whose name is computed",
        "__import__ builtins.__import__ imp importlib.__import__ importlib.import_module \
         kedro.utils.load_obj pydoc.locate",
    ),
    ("evaluates text as code", "builtins.eval eval"),
    ("executes text as code", "builtins.exec exec timeit"),
    (
        "unpickles, which may make objects of any class",
        "cloudpickle dill joblib.load pandas.read_pickle pickle.Unpickler pickle.load* \
         _pickle shelve torch.load",
    ),
    ("runs an interpreter", "code"),
    ("looks through all objects", "gc"),
    (
        "makes objects whose classes are named in text",
        "hydra.utils jsonpickle logging.config yaml.FullLoader yaml.Loader \
         yaml.UnsafeLoader yaml.full_load yaml.unsafe_load",
    ),
    (
        "changes how modules are found",
        "importlib.abc importlib.machinery importlib.util sys.meta_path sys.path_hooks \
         zipimport",
    ),
    (
        "loads entry points",
        "importlib.metadata.entry_points importlib.metadata.distribution \
         importlib.metadata.distributions importlib_metadata.entry_points pkg_resources",
    ),
    ("executes a module again", "importlib.reload"),
    (
        "looks into the callers' frames",
        "inspect.currentframe inspect.stack inspect.trace sys._getframe",
    ),
    ("looks into a function's module", "inspect.getclosurevars"),
    ("looks modules up", "inspect.getmodule"),
    ("loads code", "marshal"),
    (
        "starts other programs, which may be Python of this project",
        "multiprocessing.set_executable os.exec* os.popen os.posix_spawn* os.spawn* os.system \
         asyncio.create_subprocess* subprocess",
    ),
    (
        "may unpickle, which may make objects of any class",
        "numpy.load",
    ),
    ("looks modules up by name", "pkgutil sys.modules"),
    ("loads plug-ins", "pluggy stevedore"),
    ("executes modules by name", "runpy"),
    ("changes where modules are found", "__path__ site sys.path"),
    ("looks into frames", "sys._current_frames"),
    (
        "watches every call",
        "sys.setprofile sys.settrace threading.setprofile threading.settrace",
    ),
    ("replaces what text names", "unittest.mock.patch*"),
];

/// The first part of a dotted name.
pub(crate) fn top(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether a dotted name is one of a list, or lies below one.
pub(crate) fn below(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The names of [`DYNAMIC`], as they are asked for.
struct Dynamic {
    names: FxHashMap<&'static str, &'static str>,
    beginnings: Vec<(&'static str, &'static str)>,
    /// Modules with such names below them: who has the module has these.
    above: FxHashMap<&'static str, &'static str>,
}

static DYNAMIC_NAMES: LazyLock<Dynamic> = LazyLock::new(|| {
    let mut found = Dynamic {
        names: FxHashMap::default(),
        beginnings: Vec::new(),
        above: FxHashMap::default(),
    };
    for (why, names) in DYNAMIC {
        for name in names.split_ascii_whitespace() {
            for (at, _) in name.match_indices('.') {
                found.above.entry(&name[..at]).or_insert(why);
            }
            match name.strip_suffix('*') {
                Some(beginning) => found.beginnings.push((beginning, why)),
                None => drop(found.names.insert(name, why)),
            }
        }
    }
    found
});

/// Why a dotted name from elsewhere can reach definitions that no text names.
pub(crate) fn dynamic(name: &str) -> Option<&'static str> {
    let known = &*DYNAMIC_NAMES;
    let ends = name
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([name.len()]);
    let begins =
        |(beginning, why): &(&str, &'static str)| name.starts_with(beginning).then_some(*why);
    ends.filter_map(|end| known.names.get(&name[..end]).copied())
        .next()
        .or_else(|| known.above.get(name).copied())
        .or_else(|| known.beginnings.iter().find_map(begins))
}

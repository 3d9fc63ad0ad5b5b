"""Services that a host program gives to its plugin processes.

In a plugin: `get_service` or `@service` make functions that call the host. In a host: a `Registry` of
functions, bound to the plugins that `discover_plugins` finds and `execute` runs.

Every public name is here; each is imported when it is first used, so that a plugin does not pay for the
host's side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import (
        add_host_flags as add_host_flags,
        close as close,
        get_manifest as get_manifest,
        get_service as get_service,
        has_namespace as has_namespace,
        host_option as host_option,
        hosted as hosted,
        init_service_client as init_service_client,
        list_services as list_services,
        namespace_stub as namespace_stub,
        service as service,
        set_default_timeout as set_default_timeout,
        with_call_timeout as with_call_timeout,
    )
    from .client.many import BoundCall as BoundCall, call_many as call_many, prepare as prepare
    from .errors import (
        ArgumentError as ArgumentError,
        CallTimeout as CallTimeout,
        ConnectionLost as ConnectionLost,
        DiscoveryError as DiscoveryError,
        IncompatiblePlugin as IncompatiblePlugin,
        ManifestError as ManifestError,
        MarshalError as MarshalError,
        MisuseError as MisuseError,
        NotHosted as NotHosted,
        OpenError as OpenError,
        PluginError as PluginError,
        PluginFailed as PluginFailed,
        PlugsvcError as PlugsvcError,
        ProtocolError as ProtocolError,
        RegistrationError as RegistrationError,
        RemoteError as RemoteError,
        ResultError as ResultError,
        ServiceError as ServiceError,
        SignatureError as SignatureError,
    )
    from .host import (
        Bind as Bind,
        BindFunc as BindFunc,
        Channel as Channel,
        Command as Command,
        Completed as Completed,
        Context as Context,
        Exit as Exit,
        Launch as Launch,
        Manifest as Manifest,
        Plugin as Plugin,
        Registry as Registry,
        Server as Server,
        Services as Services,
        discover_plugins as discover_plugins,
        execute as execute,
        iterate_all as iterate_all,
        iterate_typed as iterate_typed,
        new_plugin as new_plugin,
        with_anonymous_pipe as with_anonymous_pipe,
        with_anonymous_pipe_by_procfs as with_anonymous_pipe_by_procfs,
        with_bind_func as with_bind_func,
        with_cwd as with_cwd,
        with_default_bind as with_default_bind,
        with_env as with_env,
        with_executor as with_executor,
        with_generator as with_generator,
        with_glob as with_glob,
        with_grace as with_grace,
        with_handler as with_handler,
        with_interceptor as with_interceptor,
        with_loop as with_loop,
        with_on_start as with_on_start,
        with_parallelism as with_parallelism,
        with_pass_fds as with_pass_fds,
        with_prepend_args as with_prepend_args,
        with_server_limits as with_server_limits,
        with_spec_flags as with_spec_flags,
        with_stderr as with_stderr,
        with_stdin as with_stdin,
        with_stdout as with_stdout,
        with_timeout as with_timeout,
    )
    from .marshal import (
        Float32 as Float32,
        Float64 as Float64,
        Int8 as Int8,
        Int16 as Int16,
        Int32 as Int32,
        Int64 as Int64,
        Raw as Raw,
        Signature as Signature,
        UInt8 as UInt8,
        UInt16 as UInt16,
        UInt32 as UInt32,
        UInt64 as UInt64,
    )
    from .openers import (
        URL as URL,
        Duplex as Duplex,
        FdStream as FdStream,
        FileOpener as FileOpener,
        Stream as Stream,
        register_file_opener as register_file_opener,
        with_file_path as with_file_path,
        with_file_path_pair as with_file_path_pair,
    )

__version__ = "0.1.0"

_WHERE = {
    "client": """
        add_host_flags close get_manifest get_service has_namespace host_option hosted
        init_service_client list_services namespace_stub service set_default_timeout
        with_call_timeout
    """,
    "client.many": "BoundCall call_many prepare",
    "errors": """
        ArgumentError CallTimeout ConnectionLost DiscoveryError IncompatiblePlugin ManifestError
        MarshalError MisuseError NotHosted OpenError PluginError PluginFailed PlugsvcError
        ProtocolError RegistrationError RemoteError ResultError ServiceError SignatureError
    """,
    "host": """
        Bind BindFunc Channel Command Completed Context Exit Launch Manifest Plugin Registry Server
        Services discover_plugins execute iterate_all iterate_typed new_plugin with_anonymous_pipe
        with_anonymous_pipe_by_procfs with_bind_func with_cwd with_default_bind with_env with_executor
        with_generator with_glob with_grace with_handler with_interceptor with_loop with_on_start with_parallelism
        with_pass_fds with_prepend_args with_server_limits with_spec_flags with_stderr with_stdin
        with_stdout with_timeout
    """,
    "marshal": """
        Float32 Float64 Int8 Int16 Int32 Int64 Raw Signature UInt8 UInt16 UInt32 UInt64
    """,
    "openers": """
        URL Duplex FdStream FileOpener Stream register_file_opener with_file_path
        with_file_path_pair
    """,
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "URL",
    "ArgumentError",
    "Bind",
    "BindFunc",
    "BoundCall",
    "CallTimeout",
    "Channel",
    "Command",
    "Completed",
    "ConnectionLost",
    "Context",
    "DiscoveryError",
    "Duplex",
    "Exit",
    "FdStream",
    "FileOpener",
    "Float32",
    "Float64",
    "IncompatiblePlugin",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Launch",
    "Manifest",
    "ManifestError",
    "MarshalError",
    "MisuseError",
    "NotHosted",
    "OpenError",
    "Plugin",
    "PluginError",
    "PluginFailed",
    "PlugsvcError",
    "ProtocolError",
    "Raw",
    "RegistrationError",
    "Registry",
    "RemoteError",
    "ResultError",
    "Server",
    "ServiceError",
    "Services",
    "Signature",
    "SignatureError",
    "Stream",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "__version__",
    "add_host_flags",
    "call_many",
    "close",
    "discover_plugins",
    "execute",
    "get_manifest",
    "get_service",
    "has_namespace",
    "host_option",
    "hosted",
    "init_service_client",
    "iterate_all",
    "iterate_typed",
    "list_services",
    "namespace_stub",
    "new_plugin",
    "prepare",
    "register_file_opener",
    "service",
    "set_default_timeout",
    "with_anonymous_pipe",
    "with_anonymous_pipe_by_procfs",
    "with_bind_func",
    "with_call_timeout",
    "with_cwd",
    "with_default_bind",
    "with_env",
    "with_executor",
    "with_file_path",
    "with_file_path_pair",
    "with_generator",
    "with_glob",
    "with_grace",
    "with_handler",
    "with_interceptor",
    "with_loop",
    "with_on_start",
    "with_parallelism",
    "with_pass_fds",
    "with_prepend_args",
    "with_server_limits",
    "with_spec_flags",
    "with_stderr",
    "with_stdin",
    "with_stdout",
    "with_timeout",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

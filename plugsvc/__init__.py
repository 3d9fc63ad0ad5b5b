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
    )
    from .client import (
        close as close,
    )
    from .client import (
        get_manifest as get_manifest,
    )
    from .client import (
        get_service as get_service,
    )
    from .client import (
        has_namespace as has_namespace,
    )
    from .client import (
        host_option as host_option,
    )
    from .client import (
        hosted as hosted,
    )
    from .client import (
        init_service_client as init_service_client,
    )
    from .client import (
        list_services as list_services,
    )
    from .client import (
        namespace_stub as namespace_stub,
    )
    from .client import (
        service as service,
    )
    from .client import (
        set_default_timeout as set_default_timeout,
    )
    from .client import (
        with_call_timeout as with_call_timeout,
    )
    from .errors import (
        ArgumentError as ArgumentError,
    )
    from .errors import (
        CallTimeout as CallTimeout,
    )
    from .errors import (
        ConnectionLost as ConnectionLost,
    )
    from .errors import (
        DiscoveryError as DiscoveryError,
    )
    from .errors import (
        IncompatiblePlugin as IncompatiblePlugin,
    )
    from .errors import (
        ManifestError as ManifestError,
    )
    from .errors import (
        MarshalError as MarshalError,
    )
    from .errors import (
        MisuseError as MisuseError,
    )
    from .errors import (
        NotHosted as NotHosted,
    )
    from .errors import (
        OpenError as OpenError,
    )
    from .errors import (
        PluginError as PluginError,
    )
    from .errors import (
        PluginFailed as PluginFailed,
    )
    from .errors import (
        PlugsvcError as PlugsvcError,
    )
    from .errors import (
        ProtocolError as ProtocolError,
    )
    from .errors import (
        RegistrationError as RegistrationError,
    )
    from .errors import (
        RemoteError as RemoteError,
    )
    from .errors import (
        ResultError as ResultError,
    )
    from .errors import (
        ServiceError as ServiceError,
    )
    from .errors import (
        SignatureError as SignatureError,
    )
    from .host import (
        Bind as Bind,
    )
    from .host import (
        BindFunc as BindFunc,
    )
    from .host import (
        Channel as Channel,
    )
    from .host import (
        Command as Command,
    )
    from .host import (
        Completed as Completed,
    )
    from .host import (
        Context as Context,
    )
    from .host import (
        Exit as Exit,
    )
    from .host import (
        Launch as Launch,
    )
    from .host import (
        Manifest as Manifest,
    )
    from .host import (
        Plugin as Plugin,
    )
    from .host import (
        Registry as Registry,
    )
    from .host import (
        Server as Server,
    )
    from .host import (
        Services as Services,
    )
    from .host import (
        discover_plugins as discover_plugins,
    )
    from .host import (
        execute as execute,
    )
    from .host import (
        iterate_all as iterate_all,
    )
    from .host import (
        iterate_typed as iterate_typed,
    )
    from .host import (
        new_plugin as new_plugin,
    )
    from .host import (
        with_anonymous_pipe as with_anonymous_pipe,
    )
    from .host import (
        with_anonymous_pipe_by_procfs as with_anonymous_pipe_by_procfs,
    )
    from .host import (
        with_bind_func as with_bind_func,
    )
    from .host import (
        with_cwd as with_cwd,
    )
    from .host import (
        with_env as with_env,
    )
    from .host import (
        with_executor as with_executor,
    )
    from .host import (
        with_generator as with_generator,
    )
    from .host import (
        with_glob as with_glob,
    )
    from .host import (
        with_grace as with_grace,
    )
    from .host import (
        with_handler as with_handler,
    )
    from .host import (
        with_interceptor as with_interceptor,
    )
    from .host import (
        with_on_start as with_on_start,
    )
    from .host import (
        with_parallelism as with_parallelism,
    )
    from .host import (
        with_pass_fds as with_pass_fds,
    )
    from .host import (
        with_prepend_args as with_prepend_args,
    )
    from .host import (
        with_server_limits as with_server_limits,
    )
    from .host import (
        with_spec_flags as with_spec_flags,
    )
    from .host import (
        with_stderr as with_stderr,
    )
    from .host import (
        with_stdin as with_stdin,
    )
    from .host import (
        with_stdout as with_stdout,
    )
    from .host import (
        with_timeout as with_timeout,
    )
    from .marshal import (
        Float32 as Float32,
    )
    from .marshal import (
        Float64 as Float64,
    )
    from .marshal import (
        Int8 as Int8,
    )
    from .marshal import (
        Int16 as Int16,
    )
    from .marshal import (
        Int32 as Int32,
    )
    from .marshal import (
        Int64 as Int64,
    )
    from .marshal import (
        Raw as Raw,
    )
    from .marshal import (
        Signature as Signature,
    )
    from .marshal import (
        UInt8 as UInt8,
    )
    from .marshal import (
        UInt16 as UInt16,
    )
    from .marshal import (
        UInt32 as UInt32,
    )
    from .marshal import (
        UInt64 as UInt64,
    )
    from .openers import (
        URL as URL,
    )
    from .openers import (
        Duplex as Duplex,
    )
    from .openers import (
        FdStream as FdStream,
    )
    from .openers import (
        FileOpener as FileOpener,
    )
    from .openers import (
        Stream as Stream,
    )
    from .openers import (
        register_file_opener as register_file_opener,
    )
    from .openers import (
        with_file_path as with_file_path,
    )
    from .openers import (
        with_file_path_pair as with_file_path_pair,
    )

__version__ = "0.1.0"

_WHERE = {
    "client": """
        add_host_flags close get_manifest get_service has_namespace host_option hosted
        init_service_client list_services namespace_stub service set_default_timeout
        with_call_timeout
    """,
    "errors": """
        ArgumentError CallTimeout ConnectionLost DiscoveryError IncompatiblePlugin ManifestError
        MarshalError MisuseError NotHosted OpenError PluginError PluginFailed PlugsvcError
        ProtocolError RegistrationError RemoteError ResultError ServiceError SignatureError
    """,
    "host": """
        Bind BindFunc Channel Command Completed Context Exit Launch Manifest Plugin Registry Server
        Services discover_plugins execute iterate_all iterate_typed new_plugin with_anonymous_pipe
        with_anonymous_pipe_by_procfs with_bind_func with_cwd with_env with_executor with_generator
        with_glob with_grace with_handler with_interceptor with_on_start with_parallelism
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
    "register_file_opener",
    "service",
    "set_default_timeout",
    "with_anonymous_pipe",
    "with_anonymous_pipe_by_procfs",
    "with_bind_func",
    "with_call_timeout",
    "with_cwd",
    "with_env",
    "with_executor",
    "with_file_path",
    "with_file_path_pair",
    "with_generator",
    "with_glob",
    "with_grace",
    "with_handler",
    "with_interceptor",
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

"""URLs that may carry a password: checked when they are set, and taken apart so that the redactor knows every secret part.

What is refused here fails later with words that lead astray: Pulumi takes a URL that Go cannot read for its cloud and asks
for PULUMI_ACCESS_TOKEN (seen with the pinned CLI). No message of this module repeats anything of the URL but its scheme.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import SecretStr

#: State of cells' stacks (pulumi/pulumi pkg/backend/diy). A URL of another scheme is Pulumi's cloud to the CLI.
STATE_SCHEMES: Final = ("file", "s3", "gs", "azblob", "postgres")
#: Backends that keep rows by the stack's name; the CLI knows the first spelling only.
_POSTGRES: Final = frozenset({"postgres", "postgresql"})
_DATABASE: Final = re.compile(r"postgres(ql)?(\+[a-z0-9]+)?")
#: Where object stores take their credentials from: none of them takes any in the URL ("unknown query parameter").
_ELSEWHERE: Final = {"s3": "AWS_*", "gs": "GOOGLE_*", "azblob": "AZURE_*"}
#: What may stand unencoded before the host (Go net/url `validUserinfo`; RFC 3986 section 3.2.1), and `%` only as `%2F` is.
_USERINFO: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
SECRET_PARAMETER: Final = (
    r"(?i:password|passwd|sslpassword|pass|pwd|passphrase|(?:[\w.-]*[_-])?(?:secret|token|key|signature)|sig)"  # noqa: S105 - names of parameters
)
"""Names of query parameters whose values are secret, as a pattern."""
_SECRET_NAME: Final = re.compile(SECRET_PARAMETER)
_ENCODE: Final = "percent-encode user and password (`/` is %2F, `%` is %25, `#` is %23, `?` is %3F, `@` is %40, `:` is %3A, a space %20)"


def state_url(value: SecretStr) -> SecretStr:
    """The root of Pulumi's state in the spelling that the CLI knows; raises ValueError that says what to write."""
    text = value.get_secret_value()
    parts = _readable(text)
    scheme = parts.scheme.lower()
    if scheme in _POSTGRES:
        return SecretStr(f"postgres{text[len(parts.scheme) :]}")
    if scheme not in STATE_SCHEMES:
        raise ValueError(f"names no store of state: begin with {', '.join(f'{each}://' for each in STATE_SCHEMES)}")
    if scheme in _ELSEWHERE and ("@" in parts.netloc or _secret_parameters(parts)):
        raise ValueError(f"{scheme}:// takes no credentials in the URL: set {_ELSEWHERE[scheme]} variables instead")
    return value


def remote_state_url(value: SecretStr) -> SecretStr:
    """As `state_url`, for pods: a folder would be lost with its pod, and with it everything known about the cells."""
    checked = state_url(value)
    if urlsplit(checked.get_secret_value()).scheme == "file":
        raise ValueError("is a folder, which is lost with its pod: choose s3://, gs://, azblob:// or postgres://")
    return checked


def database_url(value: SecretStr) -> SecretStr:
    """A PostgreSQL's address that every client of the platform reads alike; raises ValueError that says what to write."""
    parts = _readable(value.get_secret_value())
    if not _DATABASE.fullmatch(parts.scheme.lower()):
        raise ValueError("must start with postgresql://")
    return value


def without_credentials(value: str) -> str:
    """`value`, an address that is shown to people; raises ValueError where it carries user or password."""
    if "@" in urlsplit(value).netloc:
        raise ValueError("must not carry user and password: this address is shown in pages and messages")
    return value


def secret_parts(url: str) -> set[str]:
    """What must never be shown of `url`: password and secret parameters, as written and as read. Empty for other text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    if "://" not in url:
        return set()
    _, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    written = ({password} if colon else set()) | _secret_parameters(parts)
    read = {unquote(each) for each in written} | {unquote(each.replace("+", " ")) for each in written}
    # As a program may write anew what it has read.
    return {each for each in written | read | {quote(each, safe="") for each in read} if each}


def keeps_rows(url: str) -> bool:
    """True for state in a PostgreSQL: there the path names the database, and all stacks share it."""
    return urlsplit(url).scheme in _POSTGRES


def below(root: str, folder: str) -> str:
    """The state's place `folder` below `root`; the root itself where the store keeps rows by the stack's name."""
    if keeps_rows(root):
        return root
    parts = urlsplit(root)
    # Not `urlunsplit`: it leaves out the slashes of a URL without a host, as `file:///` is one.
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/{folder}{query}"


def _readable(text: str) -> SplitResult:
    """The URL's parts, where Go, libpq and Python agree on them."""
    scheme, mark, rest = text.partition("://")
    if not mark or not scheme or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError(f"is no URL (no blanks, no line breaks; {_ENCODE})")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(authority) :]
    userinfo, at, _ = authority.rpartition("@")
    stray = "#" in behind or ("@" in behind.partition("?")[0] and scheme.lower() != "file")
    if stray or _BAD_ESCAPE.search(text) or (at and not _USERINFO.fullmatch(userinfo)):
        raise ValueError(f"cannot be read: {_ENCODE}")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(f"cannot be read at the host and its port: {_ENCODE}") from None
    return parts


def _secret_parameters(parts: SplitResult) -> set[str]:
    fields = (each.partition("=") for each in re.split(r"[&;]", parts.query))
    found = {value for name, _, value in fields if _SECRET_NAME.fullmatch(unquote(name))}
    return found | {value for name, value in parse_qsl(parts.query) if _SECRET_NAME.fullmatch(name)}

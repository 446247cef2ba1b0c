"""Messages as mail programs save them (RFC 5322): the subject, and the text or the page that they carry."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from stages.ingest.formats import Content, Fields, UnreadableError, html

_HEADERS = ("From", "To", "Date")


def read(path: Path, source: str, _: Fields) -> Content:
    """One section under the subject; attachments are counted as left out."""
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())
    if not any(message[name] for name in (*_HEADERS, "Subject")):
        raise UnreadableError("no message: it has no headers")
    body = message.get_body(("plain", "html"))
    text = str(body.get_content()) if body is not None else ""
    if body is not None and body.get_content_subtype() == "html":
        text = html.marked(html.parsed(text))
    head = [f"{name}: {message[name]}" for name in _HEADERS if message[name]]
    subject = " ".join(str(message["Subject"] or "").split())
    lost = sum(1 for _ in message.iter_attachments())
    text = "\n".join([*head, "", text]) if text.strip() else ""
    return html.sections(path, source, subject, text), {"attachments": lost} if lost else {}

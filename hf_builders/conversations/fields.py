"""The fields of one message, read strictly: what no view can carry makes the row a bad one, never disappears."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

Message = dict[str, Any]


def fields_of(message: object, place: str) -> Message:
    """The fields of a message that hold something: null is what tables write for a field that is not there."""
    if not isinstance(message, dict):
        raise RowProblem("message_not_an_object", f"{place} is {type_name(message)}; expected an object")
    return {field: value for field, value in message.items() if value is not None}


def refuse_other_fields(fields: Message, known: Collection[str], place: str) -> None:
    if other := [field for field in fields if field not in known]:
        raise RowProblem(
            "unknown_field",
            f"{place}: {other[0]!r} is no field of a message of {fields.get('role', fields.get('from'))}; it may have "
            f"{', '.join(known)}",
        )


def text_of(value: object, place: str) -> str:
    """A text, or the joined parts of one that is a list of `{"type": "text", "text": …}`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text_of_part(part, place) for part in value)
    raise RowProblem("content_not_text", f"{place} is {type_name(value)} ({value!r:.60}); expected text")


def loss_of(fields: Message, place: str) -> Message:
    """`{"loss": …}`, or nothing where the message says nothing of it; `weight` and `train` are other names for it."""
    given = {name: fields[name] for name in ("loss", "weight", "train") if name in fields}
    for name, value in given.items():
        is_flag = isinstance(value, bool) or (name == "weight" and value in (0, 1) and not isinstance(value, str))
        if not is_flag:
            expected = "0 or 1" if name == "weight" else "true or false"
            raise RowProblem("loss_not_boolean", f"{place}: {name} is {value!r:.60}; expected {expected}")
    if not given:
        return {}
    if all(given.values()) != any(given.values()):
        raise RowProblem("loss_twice", f"{place}: {' and '.join(given)} contradict each other; keep one of them")
    return {"loss": all(given.values())}


def is_trained_like(message: Message, loss: Message) -> bool:
    """Whether a message says the same of its loss as `{"loss": …}` or `{}`."""
    return ("loss" in message) == ("loss" in loss) and message.get("loss") == loss.get("loss")


def set_before_loss(message: Message, field: str, value: Any) -> None:
    """Set a field of a message, whose `loss` stays the last: one message has one JSON text."""
    loss = {"loss": message.pop("loss")} if "loss" in message else {}
    message.update({field: value, **loss})


def loss_of_result(fields: Message, place: str) -> Message:
    """The same for the result of a call, which is never trained: the model does not write it."""
    loss = loss_of(fields, place)
    if loss.get("loss"):
        raise RowProblem("trained_result", f"{place}: loss is true for a result, which the model does not write")
    return loss


def _text_of_part(part: object, place: str) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    kind = part.get("type") if isinstance(part, dict) else part
    raise RowProblem(
        "content_not_text", f"{place} holds a part that is no text ({kind!r:.60}); only text is trained on"
    )

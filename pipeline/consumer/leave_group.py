"""Leaving the group at once, which aiokafka does not do for a static member.

A worker that is told to stop gives its partitions to the others without waiting for its session to time out. One that
is killed stays a member, and gets its partitions back when it starts again.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

_LEAVE_GROUP = 13
_TEXT = String("utf-8")


class _LeaveGroupResponse(Response):  # type: ignore[misc]
    API_KEY = _LEAVE_GROUP
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("members", Array(("member_id", _TEXT), ("group_instance_id", _TEXT), ("error_code", Int16))),
    )


class _LeaveGroupV3(RequestStruct):  # type: ignore[misc]
    API_KEY = _LEAVE_GROUP
    API_VERSION = 3
    RESPONSE_TYPE = _LeaveGroupResponse
    SCHEMA = Schema(("group_id", _TEXT), ("members", Array(("member_id", _TEXT), ("group_instance_id", _TEXT))))


class _LeaveGroup(Request[_LeaveGroupV3]):  # type: ignore[misc]
    API_KEY = _LEAVE_GROUP

    def __init__(self, group: str, member: str, instance: str) -> None:
        self._group, self._members = group, [(member, instance)]

    def build(self, request_struct_class: type[_LeaveGroupV3]) -> _LeaveGroupV3:
        """Return the request as it goes over the wire."""
        return request_struct_class(self._group, self._members)


async def leave_group(coordinator: Any, instance: str) -> None:
    """Tell the group that a static member leaves; a broker that does not answer notices by itself."""
    if coordinator.generation <= 0:
        return
    try:
        await coordinator._send_req(_LeaveGroup(coordinator.group_id, coordinator.member_id, instance))
    except (KafkaError, NotImplementedError):
        return

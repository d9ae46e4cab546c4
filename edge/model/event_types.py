"""The name of every event type, as a constant; what each means is its row in `catalogue`.

One rule: no other module of `edge` spells an event type, so that a misspelt one fails on import.
"""

from __future__ import annotations

from typing import Final

LOCK_UNLOCK: Final = "lock.unlock"
LOCK_LOCKED: Final = "lock.locked"
LOCK_OPENED: Final = "lock.opened"
LOCK_CLOSED: Final = "lock.closed"
LOCK_FORCED_OPEN: Final = "lock.forced_open"
LOCK_HELD_OPEN: Final = "lock.held_open"
LOCK_LOCK_DOWN: Final = "lock.lock_down"
LOCK_CANCEL_LOCKDOWN: Final = "lock.cancel_lockdown"
LOCK_SCHEDULED_UNLOCK_STARTED: Final = "lock.scheduled_unlock_started"
LOCK_SCHEDULED_UNLOCK_ENDED: Final = "lock.scheduled_unlock_ended"
LOCK_FIRST_TO_ARRIVE: Final = "lock.first_to_arrive"
LOCK_ACCESS_NOT_TAKEN: Final = "lock.access_not_taken"

ELEVATOR_PERMIT: Final = "elevator.permit"
ELEVATOR_PERMITTED: Final = "elevator.permitted"

READER_ACCESS: Final = "reader.access"
READER_TAMPER: Final = "reader.tamper"

CONTROLLER_INPUT_TAMPER: Final = "controller_input.tamper"
CONTROLLER_INPUT_UNSTABLE: Final = "controller_input.unstable"
CONTROLLER_INPUT_TRIGGERED: Final = "controller_input.triggered"

CONTROLLER_START: Final = "controller.start"
CONTROLLER_STOP: Final = "controller.stop"
CONTROLLER_FAULT: Final = "controller.fault"
CONTROLLER_FAULT_CLEARED: Final = "controller.fault_cleared"
CONTROLLER_CLOCK_ADJUSTED: Final = "controller.clock_adjusted"
CONTROLLER_GAP: Final = "controller.gap"
CONTROLLER_STORAGE: Final = "controller.storage"

GATEWAY_UPDATE: Final = "gateway.update"

INTEGRATION_WARN_DUE_TO_ERROR: Final = "integration.warn_due_to_error"
INTEGRATION_DISABLE_DUE_TO_ERROR: Final = "integration.disable_due_to_error"

EVENT_EXPORT_CREATE: Final = "event_export.create"
EVENT_EXPORT_DOWNLOAD: Final = "event_export.download"
EVENT_EXPORT_FINISHED: Final = "event_export.finished"

LOGIN_CREATE: Final = "login.create"
LOGIN_DESTROY: Final = "login.destroy"
LOGIN_SIGN_IN: Final = "login.sign_in"
LOGIN_SIGN_OUT: Final = "login.sign_out"

LOCK_CREATE: Final = "lock.create"
LOCK_UPDATE: Final = "lock.update"
LOCK_DESTROY: Final = "lock.destroy"

ELEVATOR_CREATE: Final = "elevator.create"
ELEVATOR_UPDATE: Final = "elevator.update"
ELEVATOR_DESTROY: Final = "elevator.destroy"

GROUP_CREATE: Final = "group.create"
GROUP_UPDATE: Final = "group.update"
GROUP_DESTROY: Final = "group.destroy"

USER_CREATE: Final = "user.create"
USER_UPDATE: Final = "user.update"
USER_DESTROY: Final = "user.destroy"

INTEGRATION_CREATE: Final = "integration.create"
INTEGRATION_UPDATE: Final = "integration.update"
INTEGRATION_DESTROY: Final = "integration.destroy"

CAMERA_IMPORT: Final = "camera.import"
CAMERA_UPDATE: Final = "camera.update"
CAMERA_DESTROY: Final = "camera.destroy"

CARD_ACTIVATE: Final = "card.activate"
CARD_ACTIVATE_WITH_TOKEN: Final = "card.activate_with_token"  # noqa: S105 - the name of an event
CARD_DEACTIVATE: Final = "card.deactivate"
CARD_DEACTIVATE_WITH_TOKEN: Final = "card.deactivate_with_token"  # noqa: S105 - the name of an event
CARD_ASSIGN: Final = "card.assign"
CARD_ASSIGN_USER: Final = "card.assign_user"
CARD_DEASSIGN: Final = "card.deassign"
CARD_DEASSIGN_USER: Final = "card.deassign_user"

MEMBER_CREATE: Final = "member.create"
MEMBER_UPDATE: Final = "member.update"
MEMBER_DESTROY: Final = "member.destroy"
MEMBER_ASSIGN_CARD: Final = "member.assign_card"
MEMBER_DEASSIGN_CARD: Final = "member.deassign_card"
MEMBER_ASSIGN_BACKUP_CARD: Final = "member.assign_backup_card"
MEMBER_DEASSIGN_BACKUP_CARD: Final = "member.deassign_backup_card"
MEMBER_ENABLE_CARD: Final = "member.enable_card"
MEMBER_DISABLE_CARD: Final = "member.disable_card"
MEMBER_ENABLE_BACKUP_CARD: Final = "member.enable_backup_card"
MEMBER_DISABLE_BACKUP_CARD: Final = "member.disable_backup_card"

SUBSCRIPTION_CANCEL: Final = "subscription.cancel"
SUBSCRIPTION_UPDATE: Final = "subscription.update"

USER_ACTIVATE_2FA: Final = "user.activate_2fa"
USER_DEACTIVATE_2FA: Final = "user.deactivate_2fa"
USER_CREATE_BACKUP_CODE: Final = "user.create_backup_code"

"""Every finding of `doorctl diagnose`: a stable code, a title, likely causes, the first thing to try.

One rule: a code never changes its meaning, and these texts are written nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FindingSeverity(StrEnum):
    """`fault`: something does not work. `warning`: it may fail soon, or is not safe. `note`: for information."""

    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A kind of finding. `title` and `first_thing` may contain {about}: the door, driver or file concerned."""

    code: str
    severity: FindingSeverity
    title: str
    likely_causes: tuple[str, ...]
    """The likeliest first."""
    first_thing: str
    conditions: tuple[str, ...] = ()
    """Codes of what can be wrong with a door (`edge.doors.conditions`) that this finding tells of."""
    after_s: int = 0
    """How long one of them lasts before it is a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding about this controller."""

    code: str
    severity: FindingSeverity
    title: str
    likely_causes: tuple[str, ...]
    first_thing: str
    evidence: tuple[str, ...]
    """The facts that led to it: texts and numbers as they were found."""


_N, _W, _F = FindingSeverity.NOTE, FindingSeverity.WARNING, FindingSeverity.FAULT

_SERVICE: Final = (
    FindingKind(
        "DW-SERVICE-DEAD",
        _F,
        "doord is not running: no door is guarded",
        ("it was stopped by hand", "it failed at start", "it was never enabled", "another socket path is configured"),
        "systemctl status doord; then journalctl -u doord -b | tail -50",
    ),
    FindingKind(
        "DW-SERVICE-SILENT",
        _F,
        "doord runs but does not answer on its socket",
        ("it hangs, and the watchdog will restart it", "every place at the socket is taken: see docs/reliability.md"),
        "wait a minute and ask again; then journalctl -u doord -b",
    ),
    FindingKind(
        "DW-SERVICE-CONFIG",
        _F,
        "doord refused its configuration at the last start and was not started again",
        ("the file was edited and not checked, and none was in force before",),
        "doorctl check {about}; mend it; systemctl restart doord",
    ),
    FindingKind(
        "DW-SERVICE-WATCHDOG",
        _F,
        "systemd killed doord because it did not show that it was alive",
        ("the disk hung for minutes", "the computer is far too slow or its memory is full", "a fault in doord"),
        "journalctl -u doord -b for what came just before; doorctl diagnose again after a day",
    ),
    FindingKind(
        "DW-SERVICE-RESTARTS",
        _W,
        "doord has been restarted by systemd again and again",
        ("the computer loses power", "a fault in doord", "a driver's library crashes"),
        "journalctl -u doord for the last lines before each restart",
    ),
    FindingKind(
        "DW-SERVICE-DISABLED",
        _W,
        "doord will not start by itself after a power cut",
        ("systemctl enable was never called",),
        "systemctl enable doord",
    ),
    FindingKind(
        "DW-VERSION-MISMATCH",
        _W,
        "doorctl and the running doord are of different versions",
        ("an update was installed and doord not restarted", "two installations on one computer"),
        "systemctl restart doord at a quiet moment",
    ),
    FindingKind(
        "DW-SOCKET-PERMISSION",
        _W,
        "you may not talk to doord",
        ("you are not in the group doorward", "you joined it and have not logged in again"),
        "sudo doorctl diagnose, or usermod -aG doorward YOU and a new login",
    ),
    FindingKind(
        "DW-SOCKET-GROUP",
        _W,
        "the control socket does not belong to the group doorward",
        ("the group is missing: the installer did not run to its end", "doord runs as another user"),
        "run the installer again (sudo make install)",
    ),
)

_FILES: Final = (
    FindingKind(
        "DW-CONFIG-INVALID",
        _F,
        "the configuration {about} would be refused at the next start",
        ("it was edited and not checked",),
        "doorctl check {about}",
    ),
    FindingKind(
        "DW-DOOR-NONE",
        _W,
        "no door is configured: doord runs and guards nothing",
        ("Doorward was installed, and nobody has said yet how the door is wired",),
        "say in {about} what is wired ([driver.NAME], [door.NAME]; docs/installing.md); systemctl restart doord",
    ),
    FindingKind(
        "DW-CONFIG-DIFFERS",
        _W,
        "doord runs with another configuration than {about}",
        ("the file was edited and doord not restarted", "doord was started with another file"),
        "doorctl check {about}; systemctl restart doord at a quiet moment",
    ),
    FindingKind(
        "DW-CONFIG-TOUCHED",
        _N,
        "{about} was written after doord started; whether all of it was taken over cannot be told from here",
        ("it was edited and reloaded: then all is well", "it was edited and not reloaded"),
        "systemctl reload doord; journalctl -u doord names what needs a restart",
    ),
    FindingKind(
        "DW-CONFIG-KEPT",
        _F,
        "the configuration cannot be used: doors are guarded by the one that was in force before",
        (
            "it was edited and not checked",
            "the file is gone or cannot be read",
            "an update does not know a key any more",
        ),
        "doorctl check {about}; mend it; systemctl reload doord",
    ),
    FindingKind(
        "DW-CONFIG-WRITABLE",
        _F,
        "everybody on this computer may rewrite {about}",
        ("copied with the wrong permissions",),
        "chmod 0640 {about}; chown root:doorward {about}",
    ),
    FindingKind(
        "DW-SECRET-READABLE",
        _W,
        "others than doord may read the secret {about}",
        ("copied with the wrong permissions", "it belongs to the group doorward, which may ask but not know secrets"),
        "chown doorward {about} (doorweb for the page's own); chmod 0400 {about}; then change the secret",
    ),
    FindingKind(
        "DW-FILE-UNREADABLE",
        _F,
        "doord cannot read a file that the configuration names",
        ("it belongs to somebody else", "it was moved or never copied here", "a folder above it is closed to doord"),
        "sudo doorctl check /etc/doorward/doorward.toml; then chown doorward FILE and chmod 0400 FILE",
    ),
    FindingKind(
        "DW-BOOT-STRICT-GPIOD",
        _W,
        "a relay keeps its level when doord is killed: dtparam=strict_gpiod is missing in {about}",
        ("the line was never added", "the card was set up anew"),
        "add dtparam=strict_gpiod under [all] in {about} and reboot",
    ),
    FindingKind(
        "DW-BOOT-LINE-LEVEL",
        _W,
        "relays are not held at rest from power-up until doord runs: gpio= lines are missing in {about}",
        ("the lines were never added", "a relay was moved to another line"),
        "add the lines named below under [all] in {about} and reboot",
    ),
)

_CLOCK: Final = (
    FindingKind(
        "DW-CLOCK-UNSYNCED",
        _W,
        "the time of day is not synchronised: calendar times may be wrong",
        ("no network or no NTP server", "NTP is blocked (UDP 123)", "chrony is used and nothing tells doord"),
        "timedatectl; for chrony see docs/log.md, Time",
    ),
    FindingKind(
        "DW-CLOCK-RTC",
        _N,
        "the time of day comes from the clock module alone; how far it has drifted cannot be told from here",
        ("no network or no NTP server", "NTP is blocked (UDP 123)"),
        "timedatectl; compare the time with a clock you trust",
    ),
    FindingKind(
        "DW-CLOCK-STEPS",
        _W,
        "the clock was set again and again in the last 24 hours",
        ("two programs set it", "the NTP server is not reliable", "the battery of the clock module is empty"),
        "timedatectl; doorctl events --type controller.clock_adjusted",
    ),
)

_DISK: Final = (
    FindingKind(
        "DW-DISK-FULL",
        _F,
        "the disk with the log is full",
        ("something else fills it", "log.max_mib is larger than the card"),
        "df -h {about}; journalctl --vacuum-size=100M",
    ),
    FindingKind(
        "DW-DISK-LOW",
        _W,
        "the disk with the log is nearly full",
        ("something else fills it", "log.max_mib is larger than the card"),
        "df -h {about}; look for what grows",
    ),
    FindingKind(
        "DW-DISK-READONLY",
        _F,
        "the disk with the log cannot be written",
        ("the card is worn out and has locked itself", "the file system has errors"),
        "copy {about} away now; dmesg | grep -iE 'mmc|ext4'; then replace the card",
    ),
    FindingKind(
        "DW-DISK-SLOW",
        _W,
        "the disk takes seconds to write",
        ("the card is nearly worn out", "another program writes a lot", "undervoltage"),
        "dmesg | grep -i mmc; replace the card by an industrial one",
    ),
    FindingKind(
        "DW-LOG-STALLED",
        _F,
        "a write to the log has been hanging; events wait in memory",
        ("the card hangs", "a network disk is gone"),
        "dmesg | tail; do not cut the power while events wait",
    ),
    FindingKind(
        "DW-LOG-FAILED",
        _F,
        "the log cannot be written; events wait in memory",
        ("the disk is full or read-only", "the directory is missing or not doorward's"),
        "look at the error below; do not restart doord while events wait",
    ),
    FindingKind(
        "DW-LOG-DROPPED",
        _F,
        "events were lost: the log could not be written for too long",
        ("the disk was full, read-only or hanging",),
        "mend the disk; controller.gap in the history says what is missing",
    ),
    FindingKind(
        "DW-LOG-SET-ASIDE",
        _W,
        "a damaged log was set aside and a new one started",
        ("power was cut and the card lied about what it had written", "the card is worn out"),
        "keep {about} for the history; replace the card; fit a proper power supply",
    ),
    FindingKind(
        "DW-LOG-BROKEN",
        _F,
        "the log {about} was changed after it was written",
        ("somebody changed it", "the card is damaged"),
        "doorctl log verify; copy the file away before anything else",
    ),
    FindingKind(
        "DW-LOG-MISSING",
        _F,
        "there is no log at {about}",
        ("doord never ran with this configuration", "the path is wrong", "the disk is not mounted"),
        "ls -l {about}; mount",
    ),
    FindingKind(
        "DW-LOG-GAP",
        _W,
        "records of the last 30 days are missing from the log (controller.gap)",
        ("the log reached max_mib while the upstream was away", "the disk could not be written for too long"),
        "doorctl events --type controller.gap; raise log.max_mib or mend the upstream",
    ),
    FindingKind(
        "DW-LOG-BIG",
        _W,
        "the log has nearly reached max_mib; records that are not acknowledged will be removed next",
        ("the upstream has been away for long", "max_mib is small for this site"),
        "mend the upstream (doorctl sync) or raise log.max_mib",
    ),
)

_BROKER: Final = (
    FindingKind(
        "DW-BROKER-NEVER",
        _F,
        "the broker has not been reached since doord started",
        ("wrong address or port in mqtt.url", "no network", "a firewall"),
        "ping the host of {about}; then look at the error below",
    ),
    FindingKind(
        "DW-BROKER-OFFLINE",
        _W,
        "the connection to the broker is down; records wait in the log",
        ("the network is down", "the broker is down", "a firewall"),
        "ip addr; ping the host of {about}",
    ),
    FindingKind(
        "DW-BROKER-NAME",
        _F,
        "the broker's name cannot be looked up",
        ("a typing error in mqtt.url", "no DNS server"),
        "getent hosts with the host of {about}; cat /etc/resolv.conf",
    ),
    FindingKind(
        "DW-BROKER-AUTH",
        _F,
        "the broker refuses us",
        ("wrong user name or password", "the account is disabled or its certificate has been revoked"),
        "compare mqtt.username and password_file with the broker's account",
    ),
    FindingKind(
        "DW-BROKER-TLS",
        _F,
        "the encrypted connection to the broker cannot be made",
        (
            "the broker's certificate has expired, or ours has",
            "ca_file is not the authority that signed it",
            "the clock is wrong",
            "mqtt.url names the broker differently from its certificate",
        ),
        "openssl s_client -connect HOST:PORT -CAfile CA_FILE; date",
    ),
    FindingKind(
        "DW-CERTIFICATE-FORM",
        _F,
        "the other side's certificate, or its authority's, does not have the form that tls_strict in [{about}] needs",
        (
            "the authority was made by an older recipe, which gave it no key usage",
            "the certificate was made by hand, or by a camera, and names no key identifiers",
        ),
        "make them again as docs/mqtt.md shows (A certificate of the wrong form); "
        "until then tls_strict = false under [{about}]",
    ),
    FindingKind(
        "DW-BROKER-CLEAR",
        _W,
        "the password for the broker goes over the network without encryption",
        ("mqtt.url says mqtt://",),
        "set up TLS (docs/mqtt.md), write mqtts:// in {about}, and change the password",
    ),
    FindingKind(
        "DW-BROKER-REFUSES",
        _F,
        "the broker takes the connection but refuses our messages",
        ("its access list does not let us publish", "a quota is used up"),
        "compare the topic below with the broker's access list (config/ ships one)",
    ),
    FindingKind(
        "DW-BROKER-NO-SUBSCRIBER",
        _W,
        "nobody subscribes to the events at the broker; they wait in the log",
        ("the consumer is not running", "it subscribes to another prefix", "its session has expired"),
        "start the consumer, or compare its topic with mqtt.prefix",
    ),
    FindingKind(
        "DW-BROKER-FLAPS",
        _W,
        "the connection to the broker is lost again and again",
        ("poor Wi-Fi", "a second client with our id", "keepalive_s is longer than a firewall's patience"),
        "the broker's log says who closes; try keepalive_s = 15",
    ),
    FindingKind(
        "DW-BROKER-TWINS",
        _F,
        "another client connects to the broker as this controller, and each ends the other's connection",
        ("a copied SD card", "two controllers with one controller.id", "a second doord on this computer"),
        "give each controller an id of its own (controller.id); the broker's log shows both addresses",
    ),
    FindingKind(
        "DW-BACKLOG",
        _W,
        "many records wait for the upstream",
        ("it was away and is catching up", "it does not acknowledge", "it takes fewer records than happen here"),
        "doorctl sync twice, a minute apart: is the cursor moving?",
    ),
)

_DRIVERS: Final = (
    FindingKind(
        "DW-DRIVER-LOST",
        _F,
        "the hardware of driver {about} does not answer",
        ("a cable or its power is off", "an adapter was unplugged"),
        "look at the cable and the power; doord tries again by itself",
    ),
    FindingKind(
        "DW-LINE-BUSY",
        _F,
        "driver {about} cannot use a line: another program or the kernel holds it",
        ("an overlay in config.txt uses it (w1-gpio, a display)", "another program drives GPIO"),
        "gpioinfo shows who holds it; remove that overlay or program",
    ),
    FindingKind(
        "DW-DEVICE-PERMISSION",
        _F,
        "driver {about} may not open its device",
        ("the user doorward is not in the group gpio or dialout", "the udev rules are missing"),
        "run the installer again (sudo make install); then systemctl restart doord",
    ),
    FindingKind(
        "DW-CHIP-WRONG",
        _F,
        "the device of driver {about} does not exist on this computer",
        ("another Raspberry Pi model numbers its chips differently", "an adapter is not plugged in"),
        'gpiodetect; name the chip by its label, like chip = "pinctrl-rp1"',
    ),
    FindingKind(
        "DW-DRIVER-FLAPS",
        _W,
        "driver {about} was lost again and again in the last 24 hours",
        ("a loose contact", "undervoltage resets the adapter", "a bus without its terminator"),
        "doorctl events --type controller.fault; press every plug home",
    ),
    FindingKind(
        "DW-OUTPUT-STUCK",
        _F,
        "an output of driver {about} does not show the level it was told",
        ("a short circuit on the line", "the pin is damaged"),
        "unplug the relay board and measure the pin; use another line",
    ),
    FindingKind(
        "DW-EDGES-LOST",
        _W,
        "driver {about} missed edges and had to read levels back",
        ("an input chatters: a loose contact or a picked-up hum", "the computer is overloaded"),
        "look for a chattering input; shielded cable, a stronger pull-up",
    ),
    FindingKind(
        "DW-SIMULATED",
        _N,
        "driver {about} is simulated: no real door moves",
        ("a configuration for trying out",),
        "configure a real driver before this controller guards anything",
    ),
)

_READERS: Final = (
    FindingKind(
        "DW-READER-LOST",
        _F,
        "the reader {about} does not answer",
        ("its cable or its power is off", "its address or speed is another one", "its key is another one"),
        "docs/osdp.md: look at cable, power, address, baud and key; doord tries again by itself",
    ),
    FindingKind(
        "DW-READER-NO-CRYPTO",
        _W,
        "the reader {about} cannot encrypt",
        ("an old model", "its secure channel is switched off by a configuration card"),
        "switch it on or replace the reader: whoever reaches its cable can copy cards and open the door",
    ),
    FindingKind(
        "DW-READER-INSECURE",
        _W,
        "the connection to the reader {about} is not encrypted with a key of its own",
        ("install mode was left on", 'secure = "off" is configured'),
        "docs/osdp.md tells how a reader gets its key",
    ),
    FindingKind(
        "DW-READER-NOISE",
        _W,
        "the line to the reader {about} is bad",
        ("no terminators, or too many", "A and B are swapped or loose", "a long cable at a high speed"),
        "terminate both ends with 120 ohms, use a twisted pair, try a lower baud",
    ),
    FindingKind(
        "DW-READER-POWER",
        _W,
        "the reader {about} has too little power",
        ("its supply fails", "a long thin cable"),
        "measure the voltage at the reader while its light is on",
    ),
)

_WIRES: Final = (
    FindingKind(
        "DW-WIEGAND-SWAPPED",
        _F,
        "the data lines of {about} are exchanged: no card or key is understood",
        ("D0 and D1 (green and white) are on each other's terminal",),
        "exchange the two wires, or the two lines in the configuration",
    ),
    FindingKind(
        "DW-WIEGAND-FORMAT",
        _W,
        "{about} sends cards of a length that it is not set to",
        ("another format than configured", "a key fob or a card of somebody else's"),
        'doorctl cards; docs/wiegand.md lists the formats, format = "raw" takes any length',
    ),
    FindingKind(
        "DW-WIEGAND-NOISE",
        _W,
        "much of what {about} sends is unreadable",
        ("no common ground between reader and controller", "a long cable without a shield", "a weak supply"),
        "connect both grounds, shield the cable at one end, keep it away from lock cables",
    ),
    FindingKind(
        "DW-BOARD-LOST",
        _F,
        "the board {about} does not answer",
        ("its cable or its power is off", "its unit number, speed or parity is another one"),
        "docs/modbus.md: look at cable, power, unit, baud and parity; doord tries again by itself",
    ),
    FindingKind(
        "DW-BOARD-RESETS",
        _W,
        "the relays of the board {about} changed without a command",
        ("it loses power when a lock switches", "another master writes to it"),
        "feed locks from a supply of their own; look who else is on the line",
    ),
    FindingKind(
        "DW-BOARD-NOISE",
        _W,
        "the line {about} is bad",
        ("no terminators, or too many", "A and B are loose", "two boards with one unit number"),
        "terminate both ends with 120 ohms, use a twisted pair, try a lower baud",
    ),
)

_CONSUMERS: Final = (
    FindingKind(
        "DW-PART-FAILED",
        _F,
        "{about} has failed and does not run; doors are not affected",
        ("a mistake in Doorward",),
        "systemctl restart doord starts it again; report what journalctl -u doord says",
    ),
    FindingKind(
        "DW-INTEGRATION-DISABLED",
        _F,
        "integration {about} is disabled: it gets no records any more",
        ("its receiver refused or failed for long", "its address or its secret has changed"),
        "mend the receiver, then doorctl integration enable {about}: it goes on where it stopped",
    ),
    FindingKind(
        "DW-INTEGRATION-FAILING",
        _W,
        "integration {about} takes no records at the moment",
        ("its receiver is down", "a firewall", "its certificate is not trusted", "its address is a private one"),
        "doorctl integration list; docs/integrations.md for what is refused and why",
    ),
    FindingKind(
        "DW-INTEGRATION-BEHIND",
        _W,
        "integration {about} takes records more slowly than they happen",
        ("its receiver is slow", "it was away for long and is catching up"),
        "doorctl integration list again in a minute: does the backlog fall?",
    ),
    FindingKind(
        "DW-ALERT-STUCK",
        _F,
        "alerts by {about} cannot be sent",
        (
            "the server, broker or receiver is away",
            "it refuses us",
            "[smtp], [ntfy] or the webhook is not configured",
        ),
        "doorctl alerts shows the last error of each way; what waits leaves as soon as it can",
    ),
    FindingKind(
        "DW-ALERT-UNANSWERED",
        _N,
        "alerts are open that nobody has acknowledged",
        ("nobody looks after them", "somebody did and has not said so"),
        "doorctl alerts, then doorctl acknowledge ALERT",
    ),
    FindingKind(
        "DW-CAMERA-SILENT",
        _W,
        "the camera {about} gives no picture",
        ("it is off or has another address", "its password was changed", "the disk is full"),
        "doorctl camera try {about}",
    ),
    FindingKind(
        "DW-CAMERA-LATE",
        _W,
        "the camera {about} is too slow for the alarms at its doors",
        ("it takes long to answer", "its network is bad", "a door gives alarm after alarm"),
        "doorctl camera try {about}; ask it for a smaller picture",
    ),
    FindingKind(
        "DW-CAMERA-NO-DOOR",
        _W,
        "the camera {about} is assigned to no door",
        ("doors = is missing at [camera.{about}]", "its id is another one in the directory"),
        'add doors = ["..."] to [camera.{about}], or the camera to the directory',
    ),
)

_PEOPLE: Final = (
    FindingKind(
        "DW-DIRECTORY-REFUSED",
        _F,
        "the latest directory of people and cards was refused",
        ("a slip in the document", "its version was not raised", "a door it names is not configured"),
        "doorctl check FILE names everything; correct it, raise its version, then doorctl reload",
    ),
    FindingKind(
        "DW-DIRECTORY-EMPTY",
        _N,
        "there are readers, but the directory has no cards",
        ("nobody has been given a card yet", "the directory comes from its file or from upstream, and has not come"),
        "doorctl people add NAME, then doorctl people card NAME; doorctl cards shows what readers see",
    ),
)

_DOORS: Final = (
    FindingKind(
        "DW-REX-STUCK",
        _W,
        "the exit button of {about} has been pressed for long",
        ("the button is jammed", "its cable is shorted", "active = is the wrong way round"),
        "doorctl test {about}; press and let go, and look whether it changes",
    ),
    FindingKind(
        "DW-CONTACT-FAULT",
        _F,
        "the wiring of an input of {about} is cut or shorted",
        ("a cable was damaged", "a terminating resistor is missing"),
        "measure the line at the controller's terminal",
        conditions=("contact_fault",),
    ),
    FindingKind(
        "DW-INPUT-UNSTABLE",
        _W,
        "an input of {about} was unstable in the last 24 hours",
        ("a loose contact or magnet", "a door that rattles in the wind", "no pull-up"),
        "doorctl watch while somebody shakes the door; move the magnet nearer",
    ),
    FindingKind(
        "DW-CONTACT-SILENT",
        _W,
        "{about} is unlocked again and again but never seen to open",
        ("the contact is not connected or its magnet is gone", "closed = is shorted by a wire bridge"),
        "doorctl test {about}",
    ),
    FindingKind(
        "DW-TAMPER",
        _F,
        "a tamper switch of {about} is open",
        ("a cover is off", "the switch is not connected"),
        "close the cover; then ask who opened it",
        conditions=("tamper",),
    ),
    FindingKind(
        "DW-LOCKDOWN-FORGOTTEN",
        _W,
        "{about} has been locked down for over 12 hours",
        ("nobody cancelled it",),
        "if it is over: doorctl cancel-lock-down {about}",
    ),
    FindingKind(
        "DW-HOLD-FORGOTTEN",
        _W,
        "{about} has been held unlocked for over 12 hours",
        ("nobody locked it again", "a schedule keeps it unlocked"),
        "if nobody needs it: doorctl lock {about}",
    ),
    FindingKind(
        "DW-BLOCK-FORGOTTEN",
        _N,
        "{about} has been blocked for over 7 days",
        ("nobody unblocked it", "it is out of use"),
        "if it is in use: doorctl unblock {about}",
    ),
    FindingKind(
        "DW-RELEASE-ACTIVE",
        _W,
        "the release input holds {about} open",
        ("the fire panel has tripped or is being serviced", "its cable is cut", "active = is the wrong way round"),
        "ask at the fire panel before anything else",
        conditions=("release_input",),
    ),
    FindingKind(
        "DW-DOOR-FORCED",
        _F,
        "{about} was forced open and still stands open",
        ("somebody broke in", "a mechanical key was used", "the strike did not hold"),
        "go and look; close it",
        conditions=("forced_open",),
    ),
    FindingKind(
        "DW-DOOR-HELD",
        _W,
        "{about} has been held open for over an hour",
        ("it is propped open", "the contact does not see it close"),
        "go and look; then doorctl test {about}",
        conditions=("held_open", "held_open_warning"),
        after_s=3600,
    ),
    FindingKind(
        "DW-DOOR-OPEN",
        _N,
        "{about} has stood open for hours, and no alarm is configured for that",
        ("it is held unlocked or released", "its held_open_s is 0 or very long", "the contact does not see it close"),
        "go and look; then doorctl test {about}",
    ),
    FindingKind(
        "DW-DOOR-UNKNOWN",
        _F,
        "it is not known whether {about} is open",
        ("its driver is lost",),
        "mend the driver first",
    ),
    FindingKind(
        "DW-DOOR-CONDITION",
        _F,
        "something is wrong with {about}",
        ("a wire, a switch or the lock of this door is not as it should be",),
        "doorctl test {about}",
    ),
    FindingKind(
        "DW-FORCED-OFTEN",
        _W,
        "{about} was forced open again and again in the last 24 hours",
        (
            "the exit button does not reach doord",
            "the strike does not hold",
            "people use a key",
            "the contact is loose",
        ),
        "doorctl test {about}; raise rex_grace_ms if the button is slower than the contact",
    ),
)

_MACHINE: Final = (
    FindingKind(
        "DW-POWER-LOW",
        _F,
        "the computer's supply voltage is too low now",
        ("a weak power supply or a long thin cable", "a lock is fed from the Pi's supply"),
        "use the official power supply; feed locks from their own",
    ),
    FindingKind(
        "DW-POWER-WAS-LOW",
        _W,
        "the supply voltage has been too low since the last boot",
        ("a weak power supply", "a lock without its diode pulls it down when it switches"),
        "use the official power supply; fit a diode across each lock",
    ),
    FindingKind(
        "DW-CPU-HOT",
        _W,
        "the computer is too hot and slows down",
        ("no airflow in the housing", "it stands in the sun"),
        "give it air or a heat sink",
    ),
    FindingKind(
        "DW-CPU-THROTTLED",
        _W,
        "the firmware slows the computer down",
        ("it is too hot inside its housing", "the power supply is weak"),
        "vcgencmd get_throttled; vcgencmd measure_temp; give it air",
    ),
    FindingKind(
        "DW-MEMORY-LOW",
        _W,
        "the computer has hardly any memory left",
        ("another program takes it", "a desktop runs on this computer", "a fault in doord"),
        "ps aux --sort=-rss | head; stop what is not needed here",
    ),
)

KINDS: Final[dict[str, FindingKind]] = {
    kind.code: kind
    for group in (
        *(_SERVICE, _FILES, _CLOCK, _DISK, _BROKER, _CONSUMERS),
        *(_DRIVERS, _READERS, _WIRES, _PEOPLE, _DOORS, _MACHINE),
    )
    for kind in group
}
"""Code -> kind of finding, in the order in which a technician should check."""


def finding(code: str, *evidence: str, about: str = "") -> Finding:
    """The finding with this code about a door, driver or file. KeyError for an unknown code."""
    kind = KINDS[code]
    title, first_thing = (text.replace("{about}", about) for text in (kind.title, kind.first_thing))
    return Finding(code, kind.severity, title, kind.likely_causes, first_thing, evidence)

"""Runs in Home Assistant's Python: its core and the integrations that are asked for, without page, accounts or cloud.

What its `hass` would do, less what `make hass` leaves out; one argument pair, `-c FOLDER`.
"""

import asyncio
import importlib
import logging
import sys
import types

# Asked only whether a request came through the vendor's cloud; it would bring the cloud's own libraries.
sys.modules["hass_nabucasa"] = types.ModuleType("hass_nabucasa")
sys.modules["hass_nabucasa"].remote = types.ModuleType("hass_nabucasa.remote")

from homeassistant import config, config_entries, core, loader  # noqa: E402 -- see above
from homeassistant.helpers import entity, frame, restore_state, storage, template, translation  # noqa: E402
from homeassistant.setup import async_setup_component  # noqa: E402

REGISTRIES = ("area", "category", "device", "entity", "floor", "issue", "label")


async def main(folder: str) -> int:
    hass = core.HomeAssistant(folder)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    configured = await config.async_hass_config_yaml(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, configured)
    await loader.async_get_custom_components(hass)
    for helper in (entity, frame, template, translation):
        if hasattr(helper, "async_setup"):  # which has one differs by release
            helper.async_setup(hass)
    await storage.get_internal_store_manager(hass).async_initialize()
    for registry in REGISTRIES:
        await importlib.import_module(f"homeassistant.helpers.{registry}_registry").async_load(hass)
    await restore_state.async_load(hass)
    await hass.config_entries.async_initialize()
    hass.config.components |= {"http", "file_upload"}  # for the page; MQTT names them for uploads of certificates
    for wanted in configured:
        if wanted not in {"homeassistant", "http", "logger"} and not await async_setup_component(
            hass, wanted, configured
        ):
            return 1
    return await hass.async_run()


logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s [%(name)s] %(message)s")
sys.exit(asyncio.run(main(sys.argv[sys.argv.index("-c") + 1])))

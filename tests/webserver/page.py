"""Dagster's page as somebody in accounting uses it: read, fill in the form, launch.

What belongs here: the questions that the page itself asks by GraphQL. What does not: what happens
on either side.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.cures import word
from qbo_sync_dagster.panels.markdown import escape
from tests.dagster_daemon.services import LAUNCH, LOCATION, graphql
from tests.scenarios.conftest import World

REASON = "seen with the client"
_SHOWN = """
query Shown($asset: AssetKeyInput!, $partition: String!) {
  assetOrError(assetKey: $asset) {
    ... on Asset {
      assetMaterializations(partitions: [$partition], limit: 1) {
        metadataEntries {
          label
          ... on MarkdownMetadataEntry { mdStr }
          ... on IntMetadataEntry { intValue }
          ... on TableMetadataEntry { table { records } }
        }
      }
    }
  }
}
"""
_ENDED = """
query Ended($run: ID!) {
  runOrError(runId: $run) {
    ... on Run {
      status
      eventConnection {
        events {
          __typename
          ... on MessageEvent { message }
          ... on ExecutionStepFailureEvent { error { message } }
        }
      }
    }
  }
}
"""
_REGISTER = """
mutation Register($key: String!, $selector: RepositorySelector!) {
  addDynamicPartition(
    partitionsDefName: "realm", partitionKey: $key, repositorySelector: $selector
  ) { __typename }
}
"""
_REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}


@dataclass(frozen=True)
class Closed:
    """A row of the exceptions that were closed last."""

    when: str
    by: str
    how: str


@dataclass
class Page:
    """Dagster's page at one company; `until_ended` waits for a run's end."""

    url: str
    world: World
    key: str
    until_ended: Callable[[str], None]

    def register(self) -> None:
        """Give the company its partition, as the sensor does within a minute."""
        graphql(self.url, _REGISTER, key=self.key, selector=_REPOSITORY)

    def cycle(self, expected: str = "SUCCESS") -> None:
        """Run a cycle to its end."""
        self._launch("sync_cycle", {}, expected, {"dagster/partition": self.key})

    def titles(self) -> list[str]:
        """The titles in the table of open exceptions, sorted."""
        records = self._shown().get("exceptions", {"table": {"records": []}})["table"]["records"]
        rows = [yaml.safe_load(record) for record in records]
        return sorted(row["exception"] for row in rows)

    def section(self, title: str) -> str:
        """What the page says of the one open exception of this title. Markdown."""
        [found] = [each for each in self._sections() if each[1] == title]
        return found[2]

    def form(self, title: str) -> str:
        """The lines to paste; the link beside them opens the Launchpad with the very same."""
        section = self.section(title)
        [lines] = re.findall(r"```yaml\n(.*?)\n```", section, re.DOTALL)
        [address] = re.findall(r"\[Open this form in the Launchpad\]\((\S+)\)", section)
        opened = urlsplit(address)
        assert opened.path == f"/locations/{LOCATION}/jobs/resolve_exception/playground/setup"
        assert parse_qs(opened.query) == {"config": [lines]}
        return str(lines)

    def resolve(self, title: str, action: Action, target: str = "") -> None:
        """Fill in the form of the open exception of this title, and launch it."""
        self._resolve(title, action, target, REASON, "SUCCESS")

    def refused(self, title: str, action: Action, target: str = "", reason: str = "") -> str:
        """Launch the form though it can't be done; what the failed run says."""
        return self._resolve(title, action, target, reason, "FAILURE")

    def closed(self, title: str) -> Closed:
        """When, by whom and how the one exception of this title was closed."""
        [page] = [text for _, heading, text in self._sections() if heading == "Recently closed"]
        rows = [line.strip("| ").split(" | ") for line in page.splitlines()]
        [row] = [cells for cells in rows if len(cells) > 1 and cells[1] == escape(title)]
        return Closed(*row[3:6])

    def _resolve(self, title: str, action: Action, target: str, reason: str, expected: str) -> str:
        form = self.form(title)
        [offered] = re.findall(r"action: (.*)", form)
        assert re.search(rf"\b{word(action)}\b", offered), offered
        config = yaml.safe_load(form)
        settled = config["ops"]["resolve"]["config"]
        settled |= {"action": word(action), "reason": reason}
        if target:
            settled["target"] = target
        return self._launch("resolve_exception", config, expected, {})

    def _launch(self, job: str, config: object, expected: str, tags: dict[str, str]) -> str:
        listed = [{"key": key, "value": value} for key, value in {"user": "Avery", **tags}.items()]
        params = {
            "selector": {**_REPOSITORY, "jobName": job},
            "runConfigData": config,
            "executionMetadata": {"tags": listed},
        }
        launched = graphql(self.url, LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]
        self.until_ended(run_id)
        ended = graphql(self.url, _ENDED, run=run_id)["runOrError"]
        told = "\n".join(_told(event) for event in ended["eventConnection"]["events"])
        assert ended["status"] == expected, told
        return told

    def _shown(self) -> dict[str, dict[str, Any]]:
        """The metadata of sync_exceptions, as its newest materialization shows it."""
        asset = {"path": ["sync_exceptions"]}
        found = graphql(self.url, _SHOWN, asset=asset, partition=self.key)["assetOrError"]
        [newest] = found["assetMaterializations"]
        return {entry["label"]: entry for entry in newest["metadataEntries"]}

    def _sections(self) -> list[tuple[str, str, str]]:
        """(number, title, text) of each section of the page."""
        text = self._shown()["open_this"]["mdStr"]
        found = re.findall(r"### (?:(\d+)\. )?(.*?)\n\n(.*?)(?=\n\n### |\Z)", text, re.DOTALL)
        return [(number, re.sub(r"\\(.)", r"\1", title), body) for number, title, body in found]


def _told(event: dict[str, Any]) -> str:
    error = event.get("error") or {}
    return " ".join(filter(None, [event.get("message"), error.get("message")]))

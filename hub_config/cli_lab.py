"""The commands for authors of labs: `practicum lab new` and `practicum lab check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from grader.authors.report import LabReport, Step
from hub_config.console import Catching, say
from labs.catalog import LabFolder
from labs.texts import LANGUAGES, Lang


@click.group(cls=Catching, help="실습 만들기 / writing labs.")
def lab() -> None:
    """Labs."""


@lab.command("new", help="새 실습을 만듭니다 / make a new lab, complete and small, to be written further.")
@click.argument("slug")
@click.option("--in", "folder", type=click.Path(path_type=Path), default=Path(), show_default=True,
              help="직무 꾸러미의 폴더, 또는 새 직무 꾸러미를 만들 빈 폴더 / the pack's folder, or an empty one for a pack of one's own")  # fmt: skip
@click.option("--title-ko", default="새 실습", show_default=True, help="한국어 제목 / the Korean title")
@click.option("--title-en", default="New lab", show_default=True, help="영어 제목 / the English title")
@click.option(
    "--minutes", type=click.IntRange(1, 480), default=60, show_default=True, help="걸리는 시간(분) / the time needed"
)
def new(slug: str, folder: Path, title_ko: str, title_en: str, minutes: int) -> None:
    from labs.scaffold import new_lab

    made = new_lab(slug, folder, title_ko=title_ko, title_en=title_en, minutes=minutes)
    say(f"만들었습니다: {made}", f"Made: {made}")
    say(f"살펴보려면: practicum lab check {made}", f"To look at it: practicum lab check {made}")


@lab.command("check", help="실습에서 빠졌거나 잘못된 것 / what is missing or wrong in a lab.")
@click.argument("lab", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="한 줄에 하나씩 JSON / one JSON object a line")
@click.option("--draft", is_flag=True, help="아직 쓸 곳은 실패로 보지 않음 / what is still to write is no failure")
@click.option("--lang", type=click.Choice(LANGUAGES), help="한 언어만 빨리 / one language only, to be quick")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="훈련생이 받을 것과 결과를 둘 폴더 / keep what a learner gets here"
)
def check(lab: tuple[str, ...], as_json: bool, draft: bool, lang: Lang | None, keep: Path | None) -> None:
    from grader.authors.check import check_lab
    from grader.authors.find import labs_meant

    failed = 0
    for one in labs_meant(lab):
        told = check_lab(one, _steps(one, as_json), keep, (lang,) if lang else LANGUAGES)
        failed += len(told.wrong) + (0 if draft else len(told.to_write))
        _print_json(told) if as_json else _print(told)
    if as_json:
        click.echo(json.dumps({"finished": True, "failed": failed}))
    sys.exit(1 if failed else 0)


def _steps(lab: LabFolder, as_json: bool) -> Step:
    def show(done: int, total: int, what: str) -> None:
        if as_json:
            click.echo(json.dumps({"done": done, "total": total, "learner": what}, ensure_ascii=False))
        elif sys.stderr.isatty():
            click.echo(f"\r\x1b[K{lab.id} {done}/{total} {what}", nl=False, err=True)

    return show


def _print_json(told: LabReport) -> None:
    for finding in told.findings:
        click.echo(json.dumps({"lab": told.lab, **finding.model_dump()}, ensure_ascii=False))


def _print(told: LabReport) -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    for tried in told.tried:
        mark = "✘" if tried.broken else "✔"
        click.echo(f"{mark} {told.lab} {tried.name} ({tried.lang}): {tried.points:g} / {tried.max_points:g}")
    for finding in told.findings:
        mark = "✘" if finding.kind == "wrong" else "✎"
        click.echo(f"{mark} {told.lab}/{finding.place}\n    {finding.said.ko}\n    {finding.said.en}")
    say(f"{told.lab}: 고칠 것 {len(told.wrong)}개, 아직 쓸 것 {len(told.to_write)}개",
        f"{told.lab}: {len(told.wrong)} to mend, {len(told.to_write)} still to write")  # fmt: skip

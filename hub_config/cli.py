"""The command `practicum`: start everything, grade, look after the installation."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from grader.engine.causes import CAUSES, known
from grader.engine.progress import Progress, Summary
from hub_config import cli_backup, cli_journal, cli_lab
from hub_config.console import Catching, in_force, language, say
from hub_config.settings import Settings, load_settings
from labs.texts import UserError

if TYPE_CHECKING:
    from grader.imports.columns import Kind


@click.group(cls=Catching, help="Practicum: 기관이 직접 운영하는 AI 실습실 / a hands-on AI training lab.")
@click.version_option(package_name="practicum")
def main() -> None:
    """Entry point."""


main.add_command(cli_journal.journal)
main.add_command(cli_backup.backup)
main.add_command(cli_lab.lab)


@main.command(help="모두 시작합니다 / start everything. Ctrl-C: 모두 멈춤 / stop everything.")
@click.option("--model", help="내장 모델 / the built-in model (practicum model list)")
@click.option("--port", type=int, help="웹 주소의 포트 / the public port")
@click.option("--data", type=click.Path(path_type=Path), help="자료 폴더 / the data folder")
def up(model: str | None, port: int | None, data: Path | None) -> None:
    from hub_config import up as starting

    settings = load_settings(None, model=model, port=port, data=data)
    sys.exit(starting.up(settings))


@main.command(help="제출물을 모아 채점합니다 / collect and grade a lab's newest submissions.")
@click.argument("course")
@click.argument("lab")
@click.option("--force", is_flag=True, help="이미 채점한 것도 다시 / grade again what is graded")
@click.option("--json", "as_json", is_flag=True, help="한 줄에 하나씩 JSON / one JSON object a line")
def grade(course: str, lab: str, force: bool, as_json: bool) -> None:
    from grader.engine.start import grade as grade_quickly

    settings = _for_course(course, lab)
    run = _with_progress(as_json, lambda report: grade_quickly(
        settings.course_root(course), course, lab, force=force, workers=settings.grading_workers, report=report))  # fmt: skip
    _finish(run, as_json)


@main.command(help="채점 결과를 훈련생에게 공개합니다 / release feedback and scores to the learners.")
@click.argument("course")
@click.argument("lab")
@click.option("--json", "as_json", is_flag=True, help="한 줄에 하나씩 JSON / one JSON object a line")
def feedback(course: str, lab: str, as_json: bool) -> None:
    from grader.engine.grade import release_feedback

    settings = _for_course(course, lab)
    run = _with_progress(
        as_json, lambda report: release_feedback(settings.course_root(course), course, lab, report=report)
    )
    _finish(run, as_json)


@main.command(help="강사가 만든 과제를 배포합니다 / hand out an assignment that an instructor wrote.")
@click.argument("course")
@click.argument("assignment")
@click.option("--title-ko", help="한국어 제목(처음 배포할 때) / the Korean title, when first handed out")
@click.option("--title-en", help="영어 제목 / the English title; by default the Korean one")
@click.option("--minutes", type=int, default=60, show_default=True, help="소요 시간(분) / the time needed")
@click.option("--pass-percent", type=int, default=60, show_default=True, help="통과 기준(%) / the pass mark")
@click.option("--required", is_flag=True, help="수료에 필요 / needed for completion")
@click.option("--json", "as_json", is_flag=True, help="한 줄에 하나씩 JSON / one JSON object a line")
def release(
    course: str, assignment: str, title_ko: str | None, title_en: str | None, minutes: int, pass_percent: int,
    required: bool, as_json: bool,
) -> None:  # fmt: skip
    from grader.client import Refusal
    from grader.own.hand_out import hand_out
    from grader.own.terms import terms_of

    # The portal gives the token of the instructor who pressed the button.
    asked_by = os.environ.get("PRACTICUM_RECORDS_TOKEN")
    settings = _for_course(course, assignment)
    if asked_by:
        os.environ["PRACTICUM_RECORDS_TOKEN"] = asked_by
    terms = terms_of(title_ko, title_en, minutes, pass_percent, required) if title_ko else None
    try:
        hand_out(settings.course_root(course), course, assignment, terms)
    except (UserError, Refusal) as error:
        said = error.text.in_(language()) if isinstance(error, UserError) else str(error)
        if not as_json:
            raise click.ClickException(said) from error
        click.echo(json.dumps({"failed": 1, "message": said, "finished": True}, ensure_ascii=False))
        sys.exit(1)
    click.echo(json.dumps({"graded": 1, "finished": True})) if as_json else say("배포했습니다.", "Handed out.")


@main.command(
    help="서로 비슷한 제출물을 찾습니다. 판정이 아닙니다 / find submissions that are alike: a place to look, never a verdict."
)
@click.argument("course")
@click.argument("lab")
@click.option("--json", "as_json", is_flag=True, help="한 줄에 하나씩 JSON / one JSON object a line")
def similar(course: str, lab: str, as_json: bool) -> None:
    from grader.similarity.compare import compare_lab
    from grader.similarity.result import read_comparison

    settings = _for_course(course, lab)
    root = settings.course_root(course)
    run = _with_progress(
        as_json, lambda report: compare_lab(root, course, lab, workers=settings.grading_workers, report=report)
    )
    found = read_comparison(root, lab)
    if not as_json and found is not None:
        for pair in found.pairs:
            alike = ", ".join(f"{part.path} {part.share:.0%}" for part in pair.parts if part.notable)
            click.echo(f"{pair.first} · {pair.second}: {alike}")
        say("살펴볼 곳일 뿐, 판정이 아닙니다.", "What is alike is a place to look, never a verdict.")
    _finish(run, as_json)


@main.group(help="내장 AI 모델 / the built-in AI models.")
def model() -> None:
    """Models."""


@model.command("list", help="내장 모델 목록 / the models and what is fetched")
def model_list() -> None:
    from hub_config.ai import built_in_models
    from hub_config.models.catalogue import catalogue
    from hub_config.models.files import is_there
    from hub_config.models.standing import standing

    settings = in_force()
    states = dict.fromkeys(built_in_models(settings), "-") | standing(settings)
    for name, entry in catalogue().models.items():
        here = "✔" if is_there(entry, settings.models_folder) else "·"
        size, title = f"{entry.size_bytes / 1e6:6.0f} MB", entry.title.in_(language())
        click.echo(f"{here} {name:22} {entry.kind:14} {size}  {states.get(name, ''):8} {entry.license:17} {title}")


@model.command("fetch", help="모델을 내려받고 SHA-256을 확인합니다 / fetch a model and check its SHA-256")
@click.argument("name")
def model_fetch(name: str) -> None:
    from hub_config.models.fetch import fetch

    click.echo(str(fetch(name, in_force().models_folder)))


@model.command("check", help="받은 모델의 SHA-256을 다시 계산합니다 / compute the SHA-256 again")
@click.argument("name")
def model_check(name: str) -> None:
    from hub_config.models.catalogue import catalogue
    from hub_config.models.files import is_there, sha256_of

    model, folder = catalogue().models.get(name), in_force().models_folder
    paths = {folder / file.file: file for file in model.files} if model else {}
    for path, file in paths.items():  # before is_there, which removes a wrong file
        if path.is_file() and sha256_of(path) != file.sha256:
            raise click.ClickException(f"{path}: SHA-256 ≠ {file.sha256}")
    if model is None or not is_there(model, folder):
        raise click.ClickException(f"{name}: practicum model fetch {name}")
    click.echo(f"{name}: SHA-256 ✔")


@main.group(help="AI 게이트웨이 / the AI gateway.")
def ai() -> None:
    """AI."""


@ai.command(
    "reload", help="실행 중인 게이트웨이에 AI 설정을 다시 적용합니다 / hand the AI settings to the running gateway."
)
def ai_reload() -> None:
    from hub_config.ai import with_ai_of
    from hub_config.services import hand_over, write_settings

    running = in_force()

    def renewed() -> Settings:
        settings = with_ai_of(running, load_settings())
        write_settings(settings)
        return settings

    if not hand_over(running.data, renewed):
        raise UserError("게이트웨이가 실행되고 있지 않습니다.", "The gateway is not running.")
    say("AI 설정을 다시 적용했습니다.", "The AI settings were applied.")


@main.command(
    help="사업, 기관, 과정을 파일에서 등록합니다 / enter programmes, institutions and course runs from a file."
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--apply", "apply_", is_flag=True, help="등록하기 / enter what was named")
def register(file: Path, apply_: bool) -> None:
    from datetime import UTC, datetime

    from grader.records.db import open_database, writing
    from hub_config.register import enter, read_register

    settings, read = in_force(), read_register(file)
    engine = open_database(settings.records_database)
    with writing(engine) as session:
        for line in enter(session, read, actor="operator", now=datetime.now(UTC)):
            click.echo(line)
        if not apply_:
            session.rollback()
    engine.dispose()
    if apply_:
        say(
            "등록했습니다. 새 실습은 다시 시작할 때, 또는 `practicum prepare 과정`으로 지금 만들어 배포합니다.",
            "Entered. New labs are built and handed out at the next start, or now by `practicum prepare COURSE`.",
        )
    else:
        say("등록하려면 --apply를 붙여 다시 실행하세요.", "To enter it, run it again with --apply.")


@main.command(
    help="과정의 실습을 만들어 배포합니다 / build a course run's labs and hand them out, while Practicum runs."
)
@click.argument("course")
@click.option("--json", "as_json", is_flag=True, help="한 줄에 하나씩 JSON / one JSON object a line")
def prepare(course: str, as_json: bool) -> None:
    from grader.client import Refusal
    from hub_config.courses import build_labs, course_labs, release_labs

    settings = in_force()
    total = len(course_labs(settings, course))
    if not total:
        raise UserError(f"{course}: 준비할 실습이 없는 과정입니다.", f"{course}: no course run with labs to prepare")

    def tell(**told: object) -> None:
        if as_json:
            click.echo(json.dumps(told, ensure_ascii=False))

    tell(total=total)
    try:
        build_labs(settings, lambda line: None if as_json else click.echo(f"  {line}"), course)
        release_labs(settings, course)
    except (UserError, Refusal) as error:
        said = error.text.in_(language()) if isinstance(error, UserError) else str(error)
        if not as_json:
            raise click.ClickException(said) from error
        tell(failed=total, message=said, finished=True)
        sys.exit(1)
    tell(graded=total, done=total, finished=True)
    if not as_json:
        say("배포했습니다.", "Handed out.")


@main.command(
    help="보관 기간이 지난 자료를 보이고, --apply로 지웁니다 / what is older than it may be; --apply deletes it."
)
@click.option("--apply", "apply_", is_flag=True, help="지우기 / delete what was named")
def retention(apply_: bool) -> None:
    from datetime import UTC, datetime

    from hub_config.retention import carry_out, find

    settings, now = in_force(), datetime.now(UTC)
    found = find(settings, now)
    say(f"열람 기록 {found.looks}건({found.looks_before.date()} 이전), 훈련생 {len(found.people)}명",
        f"{found.looks} looks (before {found.looks_before.date()}), {len(found.people)} learners")  # fmt: skip
    for login in found.people:
        click.echo(f"  {login}")
    if not apply_:
        say(
            "지우려면 --apply를 붙여 다시 실행하세요. 되돌릴 수 없습니다.",
            "To delete, run it again with --apply. It cannot be undone.",
        )
        return
    for login in carry_out(settings, found, actor="operator", now=now):
        click.echo(f"✔ {login}")


@main.group("import", help="명단·시간표·공식 출결 파일을 가져옵니다 / import rosters, timetables, official attendance.")
def import_() -> None:
    """Imports."""


def _import_of(kind: Kind, help_: str) -> None:
    """Add the command of one kind of file."""

    @import_.command(kind, help=help_)
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--course", required=True, help="과정의 아이디 / the course run")
    @click.option("--apply", "apply_", is_flag=True, help="미리 본 것을 적용합니다 / apply what is shown")
    @click.option("--by", default="", help="적용하는 담당자의 아이디 / the login of who applies it")
    def command(file: Path, course: str, apply_: bool, by: str) -> None:
        from hub_config import import_command

        settings = in_force()
        plan = import_command.preview(settings, kind, file, course)
        for line in import_command.lines_of(plan):
            say(line.ko, line.en)
        if plan.problems:
            sys.exit(1)
        if not apply_:
            say("적용하려면 --apply --by 아이디를 붙이세요.", "To apply it, add --apply --by LOGIN.")
            return
        done = import_command.apply(settings, kind, file, course, agreed=plan, by=by)
        say(f"{len(done.changes)}건을 적용했습니다.", f"Applied {len(done.changes)} changes.")


_import_of("roster", "훈련생 명단 / a roster: CSV, XLSX or the national system's JSON.")
_import_of("timetable", "시간표 전체 / the whole timetable.")
_import_of("attendance", "공식 출결 / official attendance.")


@main.command(help="서비스와 장비, 백업의 상태 / how services, machine and backup are.")
@click.option("--json", "as_json", is_flag=True, help="JSON 객체 하나로 / as one JSON object")
def doctor(as_json: bool) -> None:
    from hub_config import doctor as showing
    from hub_config.health.gather import gather

    health = gather(in_force())
    for line in [showing.as_json(health)] if as_json else showing.lines(health, language()):
        click.echo(line)
    sys.exit(0 if health.is_well else 1)


@main.command(help="모든 설정과 뜻 / every setting, its default and what it means.")
def settings() -> None:
    for name, field in Settings.model_fields.items():
        click.echo(f"{name} ({field.default!s})\n    {field.description}")


def _for_course(course: str, lab: str) -> Settings:
    from grader.engine.kinds import known_labs
    from hub_config.grading import become_grader

    settings = in_force()
    # By their names in the folder: a course that is called as a path would be graded where it leads.
    if course not in {folder.name for folder in settings.course_root("").glob("*/")}:
        raise UserError(f"{course}: 그런 과정이 없습니다.", f"{course}: no such course")
    known_here = known_labs(settings.course_root(course))
    if lab not in known_here:
        known = ", ".join(known_here)
        raise UserError(
            f"{lab}: 그런 실습이 없습니다. 이 과정의 실습: {known}", f"{lab}: no such lab; labs of this course: {known}"
        )
    become_grader(settings)
    return settings


def _with_progress(as_json: bool, run: Callable[[Callable[[Progress], None]], Summary]) -> Summary:
    """Run with a bar in the terminal, or with a line of JSON for each step."""
    if as_json:
        return run(lambda progress: click.echo(json.dumps(progress.__dict__, ensure_ascii=False)))
    bar: tqdm[Any] | None = None

    def show(progress: Progress) -> None:
        nonlocal bar
        if bar is None:  # not earlier: an error before the first step is a line of its own
            bar = tqdm(unit="", dynamic_ncols=True)
        bar.total, bar.n = progress.total, progress.done + progress.failed
        bar.set_postfix_str(f"✘ {progress.failed}" if progress.failed else "")
        if progress.message:
            bar.write(f"✘ {progress.learner}: {progress.message}")
        bar.refresh()

    try:
        return run(show)
    finally:
        if bar is not None:
            bar.close()


def _finish(summary: Summary, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"finished": True, **summary.__dict__}))
    else:
        say(f"완료 {summary.graded}건, 실패 {summary.failed}건, 그대로 {summary.unchanged}건",
            f"{summary.graded} done, {summary.failed} failed, {summary.unchanged} unchanged")  # fmt: skip
        for cause, count in sorted(summary.causes.items(), key=lambda pair: -pair[1]):
            said = CAUSES[known(cause)]
            say(f"  {said.ko}: {count}건", f"  {said.en}: {count}")
    sys.exit(1 if summary.failed else 0)


if __name__ == "__main__":
    main()

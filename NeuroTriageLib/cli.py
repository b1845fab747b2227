"""The command `neurotriage`: the only place that prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import __version__
from .core.errors import ConfigError, NeuroTriageError, SeriesSelectionError
from .terminal import ProgressBar, StatusLine, lines_of, say

NOTICE = "Research software, not for diagnosis."
EXIT_CODES = "Exit codes: 0 done, 2 usage, 3 unreadable input, 4 no suitable series, 5 model, 1 anything else."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    options.arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return options.run(options)
    except NeuroTriageError as error:
        say(f"neurotriage: error: {error.message()}")
        return error.exit_code
    except KeyboardInterrupt:
        say("neurotriage: interrupted; nothing half-written is left.")
        return 1
    except BrokenPipeError:  # the reader of our output has gone (identify | head): nothing more to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        say("neurotriage: error: The computer ran out of memory. Close other programs or use --device cpu.")
        return 1
    except Exception as error:  # a bug of ours: one line for the user, the traceback on request
        if options.debug:
            traceback.print_exc()
        say(f"neurotriage: unexpected error: {type(error).__name__}: {error} Run again with --debug and report it.")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neurotriage", description=f"Triage of head CT and brain MRI. {NOTICE}", epilog=EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"neurotriage {__version__}")
    parser.add_argument("--debug", action="store_true", help="print the traceback of unexpected errors")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_triage(commands)
    _add_batch(commands)
    _add_identify(commands)
    _add_info(commands)
    _add_simulate(commands)
    _add_train(commands)
    _add_experiment(commands)
    _add_evaluate(commands)
    _add_datasets(commands)
    _add_labels(commands)
    _add_models(commands)
    _add_serve(commands)
    return parser


def _add_triage(commands: Any) -> None:
    from .triage_options import add_arguments

    parser = commands.add_parser(
        "triage",
        help="read a head CT or a brain MRI and write findings, masks, heatmaps, report and Slicer scene",
        epilog=EXIT_CODES,
    )
    add_arguments(parser)
    parser.set_defaults(run=_triage)


def _triage(options: argparse.Namespace) -> int:
    from .outputs.findings_text import findings_lines
    from .outputs.folder import check_output_folder, write_outputs
    from .triage_options import DicomWriter, SceneWriter, choices_of, readers_of

    check_output_folder(options.output, force=options.force)
    dicom = DicomWriter(options) if options.dicom else None
    from .pipeline import triage_input

    bar = ProgressBar()
    readers, choices = readers_of(options), choices_of(options)
    on_series = None if dicom is None else dicom.read_source
    results = triage_input(options.input, readers, choices, progress=bar, on_series=on_series)
    bar("writing", 0.0)
    scene = SceneWriter()
    write_scene = None if options.no_scene else scene
    paths = write_outputs(results, options.output, force=options.force, write_scene=write_scene, write_dicom=dicom)
    bar.close()
    print(f"{NOTICE}")
    for result in results:
        print("\n".join(findings_lines(result)))
    for path in paths:
        print(path)
    if scene.error is not None:
        say(f"neurotriage: scene.mrb was not written: {scene.error.message()}")
    if any(result.readings for result in results):
        return 0
    say("neurotriage: the exam could not be looked at; that is not a negative result.")
    return SeriesSelectionError.exit_code


def _add_batch(commands: Any) -> None:
    from .batch.options import add_arguments

    parser = commands.add_parser(
        "batch", help="read a whole archive: every exam once, on one machine or a cluster", epilog=EXIT_CODES
    )
    add_arguments(parser)
    parser.set_defaults(run=_batch)


def _batch(options: argparse.Namespace) -> int:
    from .batch.command import run_batch

    line = StatusLine()
    try:
        summary = run_batch(options, line)
    finally:
        line.close()
    print(NOTICE)
    print(summary.line)
    for path in summary.written:
        print(path)
    if summary.failed:
        count = f"{summary.failed} exam{'s' if summary.failed > 1 else ''} failed"
        say(f"neurotriage: {count}; failures.csv says why. Try again with --retry-failed.")
    return 1 if summary.failed else 0


def _add_identify(commands: Any) -> None:
    parser = commands.add_parser(
        "identify", help="say what each series of a brain MRI is: one line of JSON per series", epilog=EXIT_CODES
    )
    parser.add_argument("input", type=Path, help="DICOM folder or zip, NIfTI files, or JSON lines of headers")
    role_help = "overrule the choice for a role (FLAIR, ADC, TRACE, ...); may be given several times"
    parser.add_argument("--series", metavar="ROLE=UID_OR_TEXT", action="append", default=[], help=role_help)
    parser.add_argument("--headers-only", action="store_true", help="do not look at pixels where headers are silent")
    parser.set_defaults(run=_identify)


def _identify(options: argparse.Namespace) -> int:
    from .series_selection.identify_command import identify_lines

    for line in identify_lines(options):
        print(line)
    return 0


def _add_info(commands: Any) -> None:
    parser = commands.add_parser("info", help="systems and model packs that are here, or one model pack")
    parser.add_argument("pack", type=Path, nargs="?", help="a model pack to describe")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_info)


def _info(options: argparse.Namespace) -> int:
    from .catalog import describe, describe_pack

    document = describe_pack(options.pack) if options.pack else describe()
    print(json.dumps(document, indent=2) if options.json else "\n".join(lines_of(document)))
    return 0


def _add_simulate(commands: Any) -> None:
    from .simulation.commands import add_arguments

    parser = commands.add_parser("simulate", help="make exams with exact truth")
    add_arguments(parser.add_subparsers(required=True, metavar="KIND"))
    parser.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    bar = ProgressBar()
    folders = options.simulate(options, bar)
    bar.close()
    for folder in folders:
        print(folder)
    return 0


def _add_train(commands: Any) -> None:
    from .training.command import add_arguments

    parser = commands.add_parser("train", help="train a system and write a model pack")
    add_arguments(parser)
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    from .training.command import train_options

    settings = train_options(options)
    if options.processes > 1:
        return _in_processes(options)
    _trainer(options)(settings, lambda line: print(line, flush=True))
    return 0


def _trainer(options: argparse.Namespace) -> Any:
    """The function (settings, report) that trains the system."""
    if options.packs and options.system != "consensus":
        raise ConfigError("Only a consensus is made of model packs.", where="--packs")
    if options.system == "consensus":
        from .catalog import load_system
        from .training.consensus_training import train_consensus
        from .training.training_run import training_device

        training_device(options.device, options.threads)
        readers = [load_system(pack=pack, device=options.device) for pack in options.packs]
        return lambda settings, report: train_consensus(settings, readers, report)
    from .training.registry import TRAINED_SYSTEMS

    return TRAINED_SYSTEMS[options.system]()


def _in_processes(options: argparse.Namespace) -> int:
    """The same command in several processes."""
    from .training.launch import run_in_processes

    kept = list(options.arguments)
    # argparse takes "--proc 2" and "--processes=2" too.
    names = [argument.partition("=")[0] for argument in kept]
    at = next(n for n, name in enumerate(names) if name.startswith("--p") and "--processes".startswith(name))
    del kept[at : at + (1 if "=" in kept[at] else 2)]
    run_in_processes(options.processes, kept, options.threads)
    return 0


def _add_experiment(commands: Any) -> None:
    from .experiments.command import add_arguments

    parser = commands.add_parser(
        "experiment", help="a paper's protocol from one file: train, test, report; goes on when it was stopped"
    )
    add_arguments(parser)
    parser.set_defaults(run=_experiment)


def _experiment(options: argparse.Namespace) -> int:
    from .experiments.command import run

    if options.processes > 1:
        return _in_processes(options)
    run(options, lambda line: print(line, flush=True))
    return 0


def _add_evaluate(commands: Any) -> None:
    from .evaluation.command import add_arguments

    parser = commands.add_parser("evaluate", help="compare results with the truth, in the papers' own tables")
    add_arguments(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from .evaluation.command import evaluate
    from .outputs.folder import check_output_folder

    if options.output is not None:
        check_output_folder(options.output, force=options.force)
    bar = ProgressBar()
    result = evaluate(options, progress=bar)
    bar.close()
    print(result.text)
    for line in (*result.warnings, *result.written):
        say(f"neurotriage: {line}")
    return 0


def _add_datasets(commands: Any) -> None:
    from .datasets.command import add_arguments

    parser = commands.add_parser("datasets", help="public data sets: what they are, and whether a folder holds one")
    add_arguments(parser.add_subparsers(required=True, metavar="ACTION"))
    parser.set_defaults(run=lambda options: options.datasets(options, print))


def _add_labels(commands: Any) -> None:
    from .datasets.store_command import add_arguments

    parser = commands.add_parser("labels", help="a review store: how far its readers agree, and its masks to give away")
    add_arguments(parser.add_subparsers(required=True, metavar="ACTION"))
    parser.set_defaults(run=lambda options: options.labels(options, print))


def _add_models(commands: Any) -> None:
    from .model_comparison.command import add_arguments

    parser = commands.add_parser("models", help="which model reads; compare a new one, accept it, go back")
    add_arguments(parser.add_subparsers(required=True, metavar="ACTION"))
    parser.set_defaults(run=_models)


def _models(options: argparse.Namespace) -> int:
    bar = ProgressBar()
    lines: list[str] = []
    code = options.models(options, lines.append, bar)
    bar.close()
    print("\n".join(lines))
    return int(code)


def _add_serve(commands: Any) -> None:
    from .service.command import add_node_arguments, add_serve_arguments, serve

    parser = commands.add_parser("serve", help="the node beside the PACS: exams arrive, are read and answered")
    add_serve_arguments(parser)
    parser.set_defaults(run=lambda options: serve(options, print))
    parser = commands.add_parser("node", help="what the node is doing, and what an operator can do about it")
    add_node_arguments(parser.add_subparsers(required=True, metavar="ACTION"))
    parser.set_defaults(run=lambda options: options.node(options, print))


if __name__ == "__main__":
    sys.exit(main())

"""A prepared folder in, a dataset on the Hub out, downloaded again and compared; unless its licence forbids that."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets

from hf_builders.dataset_card import dataset_card
from hf_builders.dataset_card_header import check_licence
from hf_builders.dataset_facts import DatasetFacts, dataset_facts
from hf_builders.errors import HubError, OptionError, SourceError
from hf_builders.foreign_sets import open_saved
from hf_builders.hub import HubRepository, check_repo_id
from hf_builders.prepared_folder import MANIFEST, read_manifest, staged_beside
from hf_builders.prepared_split import digest_of_saved
from hf_builders.progress import stage
from hf_builders.publication import CARD, TOKENS, Publication, write_publication
from hf_builders.published_files import file_faults, read_configs


@dataclass(frozen=True)
class Pushed:
    repo_id: str
    configs: dict[str, dict[str, int]]
    """Rows by config and split."""
    files: dict[str, int]
    """Bytes of each file."""
    licence: str
    """Of what the rows were made of."""
    digest: str | None
    """Of ids and labels, which what was downloaded (in a dry run: written) was found to have; None without these."""
    commit: str | None
    """None of a dry run."""

    @property
    def num_rows(self) -> int:
        """Of all configs and splits."""
        return sum(sum(splits.values()) for splits in self.configs.values())


def push(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    views: Sequence[str] | str = (),
    tokens: bool = True,
    quarantine: bool = False,
    licence: str | None = None,
    dry_run: bool = False,
    token: str | None = None,
) -> Pushed:
    """Publish a prepared folder as Parquet, with a card and the manifest, in one commit; then prove it.

    What was pushed is downloaded again, past every cache: hashes, rows and the digest of ids and labels must be equal.
    After a break, call it again: the Hub takes no content twice. Others load it with
    `datasets.load_dataset(repo_id, config)`. While it runs it needs about twice the folder's size beside the folder.

    Args:
        folder: what `prepare` wrote.
        repo_id: `organisation/name`, made if it is not there, at the Hub of `HF_ENDPOINT`.
        private: make it private; refused where it is there and is public.
        revision: the branch, made if it is not there; None is `main`.
        views: of the dataset, to be published untokenized beside the token rows, as configs of their names: `messages`,
            `source` and so on. They are read again from the raw files; a run that cleans publishes cleaned texts, but
            for `source` and `mrc`, where it was not made of these.
        tokens: whether the token rows are published, as the config `tokens`.
        quarantine: whether the rows that were set aside are published too, with their text; how many there are is
            always.
        licence: of files of your own, as the Hub names it (`cc-by-4.0`); datasets that have a licence keep theirs.
        dry_run: write and check all files, ask the Hub nothing.
        token: of the Hub; None is the one `huggingface_hub` finds (`hf auth login`, or HF_TOKEN).

    Raises:
        OptionError: what the rows were made of may not be published, or an option does not fit.
        SourceError: nothing was prepared there, or it, or a raw file, is no longer what was prepared.
        HubError: the Hub refuses, does not answer, or gives other bytes than were pushed.
    """
    check_repo_id(repo_id)
    views = [views] if isinstance(views, str) else views
    place = Path(folder).expanduser().resolve()
    manifest = read_manifest(folder)
    facts = dataset_facts(manifest["dataset"]["name"])
    _check_options(folder, facts, views, tokens, licence)
    splits = open_saved(place / "data", f"{folder}/data")
    if digest_of_saved(splits) != manifest["digest"]:
        raise SourceError(f"{folder}: data/ is not what manifest.json proves; run `hf-builders prepare` again")
    with staged_beside(place) as work:
        draft = work / "files"
        draft.mkdir()
        publication = write_publication(
            draft,
            place,
            manifest,
            facts,
            splits if tokens else None,
            views,
            with_quarantine=quarantine,
            licence=licence,
        )
        card = dataset_card(publication, repo_id, facts)
        (draft / CARD).write_text(card, encoding="utf-8")
        _check_copy(draft, publication, work / "rows", f"{folder}: what was written to be pushed")
        commit = None
        if not dry_run:
            commit = _upload(HubRepository(repo_id, revision=revision, token=token), publication, work, private)
        return Pushed(
            repo_id,
            publication.configs,
            {path.relative_to(draft).as_posix(): path.stat().st_size for path in publication.paths},
            publication.manifest["published"]["licence"],
            manifest["digest"] if tokens else None,
            commit,
        )


def _check_options(
    folder: str | Path, facts: DatasetFacts, views: Sequence[str], tokens: bool, licence: str | None
) -> None:
    if facts.barred:
        raise OptionError(f"{folder}: was made of {facts.name}, which may not be published: {facts.barred}")
    if not tokens and not views:
        raise OptionError("there is nothing to push; name a view (--view), or leave out --no-tokens")
    if licence is not None and not facts.is_of_user:
        raise OptionError(f"licence: {facts.name} has its own ({facts.licence}); leave it out")
    if licence is not None:
        check_licence(licence)


def _upload(repository: HubRepository, publication: Publication, work: Path, private: bool) -> str:
    repository.make(private=private)
    large = [path for path in publication.paths if path.suffix == ".parquet"]
    repository.upload(publication.folder, large)
    message = f"Upload {', '.join(publication.configs)} with hf-builders"
    commit = repository.commit(publication.folder, publication.paths, message)
    names = [path.relative_to(publication.folder).as_posix() for path in publication.paths]
    repository.download(work / "copy", names, commit=commit)
    _check_copy(
        work / "copy", publication, work / "copied_rows", f"{repository.repo_id}: what the Hub gives at {commit}"
    )
    return commit


def _check_copy(folder: Path, publication: Publication, cache: Path, what: str) -> None:
    """See that a copy has the files, the rows and the digest of the publication; rows are read by way of `cache`.

    What is in `cache` is removed again, as it is as large as the whole set.
    """
    faults = [f"{name}: is another" for name in (MANIFEST, CARD) if not _is_same(folder, publication.folder, name)]
    faults += file_faults(folder, publication.manifest)
    if not faults:
        configs = _rows_of(folder, publication, cache)
        rows = {name: dict(splits.num_rows) for name, splits in configs.items()}
        if rows != publication.configs:
            faults.append(f"has {rows} rows; pushed were {publication.configs}")
        if TOKENS in configs and digest_of_saved(configs[TOKENS]) != publication.manifest["digest"]:
            faults.append("the digest of ids and labels is another than that of the manifest")
        shutil.rmtree(cache)
    if faults:
        raise HubError(f"{what} is not what was to be pushed: {'; '.join(faults[:3])}; push again")


def _rows_of(folder: Path, publication: Publication, cache: Path) -> dict[str, datasets.DatasetDict]:
    num_rows = sum(sum(splits.values()) for splits in publication.configs.values())
    try:
        with stage("check", num_rows, " rows") as done:
            configs = read_configs(folder, publication.manifest, cache)
            done(num_rows)
    except datasets.exceptions.DatasetGenerationError as error:
        if isinstance(error.__cause__, OSError):  # the disk is full
            raise error.__cause__ from None
        raise
    return configs


def _is_same(folder: Path, other: Path, name: str) -> bool:
    """Of the files that have no hash in the manifest."""
    return (folder / name).is_file() and (folder / name).read_bytes() == (other / name).read_bytes()

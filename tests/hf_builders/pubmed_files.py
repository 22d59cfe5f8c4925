"""Files of PubMed in small, in both generations of NLM's DTD, and how to load them."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import hf_builders

TODAY = '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2026//EN" "{address}">'
ADDRESS = "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_260101.dtd"
OF_2016 = (
    '<!DOCTYPE MedlineCitationSet PUBLIC "-//NLM//DTD Medline Citation, 1st January, 2016//EN"\n'
    '   "https://www.nlm.nih.gov/databases/dtd/nlmmedlinecitationset_160101.dtd">'
)
ABSTRACT = "<Abstract><AbstractText>We counted owls.</AbstractText></Abstract>"
JOURNAL = "<Journal><JournalIssue><PubDate><Year>2026</Year></PubDate></JournalIssue></Journal>"


RICH: dict[str, Any] = {
    "title": "Owls in <i>T. baccata</i> &amp; CO<sub>2</sub>.",
    "journal": (
        '<Journal><ISSN IssnType="Print">1234-5678</ISSN><JournalIssue CitedMedium="Print"><Volume>7</Volume>'
        "<Issue>3-4</Issue><PubDate><Year>2026</Year><Month>Feb</Month><Day>3</Day></PubDate></JournalIssue>"
        "<Title>Journal of owls</Title><ISOAbbreviation>J. Owls</ISOAbbreviation></Journal>"
    ),
    "abstract": (
        '<Pagination><MedlinePgn>195-210</MedlinePgn></Pagination><ELocationID EIdType="doi" ValidYN="Y">10.5555/owl'
        '</ELocationID><Abstract><AbstractText Label="AIM" NlmCategory="OBJECTIVE">To count owls.</AbstractText>'
        '<AbstractText Label="RESULTS" NlmCategory="RESULTS">There were 10<sup>3</sup>.</AbstractText>'
        "<CopyrightInformation>Copyright 2026 The Owl Press.</CopyrightInformation></Abstract>"
    ),
    "article": (
        '<AuthorList CompleteYN="Y"><Author ValidYN="Y"><LastName>Okapi</LastName><ForeName>Ada B</ForeName>'
        "<Initials>AB</Initials><Suffix>Jr</Suffix><AffiliationInfo><Affiliation>Owl Town.</Affiliation>"
        "</AffiliationInfo></Author><Author><CollectiveName>Owl Study Group</CollectiveName></Author></AuthorList>"
        "<Language>eng</Language><Language>fre</Language><PublicationTypeList>"
        '<PublicationType UI="D1">Journal Article</PublicationType><PublicationType UI="D2">Review</PublicationType>'
        '</PublicationTypeList><ArticleDate DateType="Electronic"><Year>2025</Year><Month>12</Month><Day>31</Day>'
        "</ArticleDate>"
    ),
    "citation": (
        "<MedlineJournalInfo><MedlineTA>J Owls</MedlineTA><NlmUniqueID>9990001</NlmUniqueID></MedlineJournalInfo>"
        "<ChemicalList><Chemical><RegistryNumber>0</RegistryNumber>"
        '<NameOfSubstance UI="D11">Owl Proteins</NameOfSubstance></Chemical></ChemicalList>'
        '<SupplMeshList><SupplMeshName Type="Disease" UI="C1">Owl fever</SupplMeshName></SupplMeshList>'
        '<CommentsCorrectionsList><CommentsCorrections RefType="Cites"><PMID Version="1">99000009</PMID>'
        "</CommentsCorrections></CommentsCorrectionsList><MeshHeadingList>"
        '<MeshHeading><DescriptorName MajorTopicYN="N" UI="D5">Owls</DescriptorName>'
        '<QualifierName MajorTopicYN="Y" UI="Q1">physiology</QualifierName>'
        '<QualifierName MajorTopicYN="N" UI="Q2">genetics</QualifierName></MeshHeading>'
        '<MeshHeading><DescriptorName MajorTopicYN="Y" UI="D6">Night</DescriptorName></MeshHeading></MeshHeadingList>'
        '<OtherAbstract Type="Publisher" Language="fre"><AbstractText>Abstract available from the publisher.'
        '</AbstractText></OtherAbstract><KeywordList Owner="NOTNLM"><Keyword>owl</Keyword></KeywordList>'
        '<KeywordList Owner="NLM"><Keyword>night</Keyword></KeywordList>'
    ),
}
"""What a citation can have, in its places."""
CHAPTER = """<PubmedBookArticle>
  <BookDocument>
    <PMID Version="2">99000005</PMID>
    <ArticleIdList><ArticleId IdType="bookaccession">NBK99</ArticleId><ArticleId IdType="doi">10.5555/c</ArticleId>
    </ArticleIdList>
    <Book><Publisher><PublisherName>Owl House</PublisherName></Publisher>
      <BookTitle book="owls">The <i>Book</i> of Owls</BookTitle>
      <PubDate><Year>1993</Year></PubDate>
      <AuthorList Type="editors"><Author><LastName>Editor</LastName></Author></AuthorList>
    </Book>
    {title}
    <Language>eng</Language>
    {authors}
    <PublicationType UI="D1">Review</PublicationType>
    <Abstract><AbstractText>Owls at length.</AbstractText></Abstract>
    <KeywordList Owner="NLM"><Keyword>owl</Keyword></KeywordList>
    <DateRevised><Year>2020</Year><Month>3</Month><Day>4</Day></DateRevised>
  </BookDocument>
  <PubmedBookData><PublicationStatus>ppublish</PublicationStatus></PubmedBookData>
</PubmedBookArticle>
"""


def bare(
    pmid: str | int,
    title: str = "Owls.",
    *,
    version: str | int | None = 1,
    abstract: str = ABSTRACT,
    article: str = "<Language>eng</Language>",
    citation: str = "",
    journal: str = JOURNAL,
) -> str:
    """A citation as the DTD of 2016 has it; `article` and `citation` stand behind the rest of these elements."""
    of = "" if version is None else f' Version="{version}"'
    inside = f"{journal}<ArticleTitle>{title}</ArticleTitle>{abstract}{article}"
    return (
        f'<MedlineCitation Owner="NLM" Status="MEDLINE"><PMID{of}>{pmid}</PMID>'
        f"<Article>{inside}</Article>{citation}</MedlineCitation>\n"
    )


def article(pmid: str | int, *args: Any, data: str = "", **options: Any) -> str:
    """The same in today's DTD."""
    return f"<PubmedArticle>{bare(pmid, *args, **options)}<PubmedData>{data}</PubmedData></PubmedArticle>\n"


def deletion(pmids: Collection[int]) -> str:
    named = "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in pmids)
    return f"<DeleteCitation>{named}</DeleteCitation>" if pmids else ""


def pubmed_set(*articles: str, deleted: Collection[int] = (), address: str = ADDRESS) -> str:
    head = f'<?xml version="1.0" encoding="utf-8"?>\n{TODAY.format(address=address)}\n'
    return f"{head}<PubmedArticleSet>\n{''.join(articles)}{deletion(deleted)}</PubmedArticleSet>\n"


def medline_set(*citations: str, deleted: Collection[int] = ()) -> str:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n{OF_2016}\n'
    return f"{head}<MedlineCitationSet>\n{''.join(citations)}{deletion(deleted)}</MedlineCitationSet>\n"


def book_set(root: str, *books: str, deleted: Collection[int] = ()) -> str:
    """Of a root for books alone; `BookDocumentSet` holds them without what stands around them."""
    inside = "".join(books) + deletion(deleted).replace("DeleteCitation", "DeleteDocument")
    if root == "BookDocumentSet":
        inside = re.sub(r"</?PubmedBookArticle>|<PubmedBookData>.*?</PubmedBookData>", "", inside)
    return f"<?xml version='1.0'?>\n<{root}>\n{inside}</{root}>\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def load(folder: Path, view: str = "source", **options: Any) -> Any:
    """The train split of all files in a folder."""
    return hf_builders.load_dataset("pubmed", view, data_dir=folder, split="train", **options)


def load_one(folder: Path, *articles: str, view: str = "source", **options: Any) -> Any:
    """Of one file that holds these articles."""
    return load(write(folder / "pubmed26n0001.xml", pubmed_set(*articles)).parent, view, **options)


def account_of(dataset: Any) -> hf_builders.Account:
    account = hf_builders.account(dataset)["train"]
    assert account.is_balanced()
    return account

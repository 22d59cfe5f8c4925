"""MIMIC-III in small, all of it invented, in the header of the open demo or of the full set; and how to load it."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hf_builders
from hf_builders import Account

COLUMNS = {
    "ADMISSIONS": "row_id,subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admission_location,"
    "discharge_location,insurance,language,religion,marital_status,ethnicity,edregtime,edouttime,diagnosis,"
    "hospital_expire_flag,has_chartevents_data",
    "PATIENTS": "row_id,subject_id,gender,dob,dod,dod_hosp,dod_ssn,expire_flag",
    "DIAGNOSES_ICD": "row_id,subject_id,hadm_id,seq_num,icd9_code",
    "PROCEDURES_ICD": "row_id,subject_id,hadm_id,seq_num,icd9_code",
    "PRESCRIPTIONS": "row_id,subject_id,hadm_id,icustay_id,startdate,enddate,drug_type,drug,drug_name_poe,"
    "drug_name_generic,formulary_drug_cd,gsn,ndc,prod_strength,dose_val_rx,dose_unit_rx,form_val_disp,form_unit_disp,"
    "route",
    "D_ICD_DIAGNOSES": "row_id,icd9_code,short_title,long_title",
    "D_ICD_PROCEDURES": "row_id,icd9_code,short_title,long_title",
    "NOTEEVENTS": "row_id,subject_id,hadm_id,chartdate,charttime,storetime,category,description,cgid,iserror,text",
}
Tables = Mapping[str, Sequence[str]]
"""The rows of each table, as lines of CSV."""

SUMMARY = 'Admission Date:  [**2150-3-1**]\n\nMr. [**Known\nlastname 12**] said "no", twice.\n'
TABLES: dict[str, list[str]] = {
    "ADMISSIONS": [
        "7,900,8001,2150-03-01 14:05:00,2150-03-09 11:00:00,,EMERGENCY,CLINIC REFERRAL/PREMATURE,SNF,Medicare,,"
        r'CATHOLIC,MARRIED,WHITE,2150-03-01 10:00:00,2150-03-01 15:00:00," WEAK HEART;COUGH\ ""WET""",0,1',
        "8,901,8002,2160-01-02 00:00:00,2160-01-05 10:00:00,2160-01-05 10:00:00,ELECTIVE,PHYS REFERRAL/NORMAL DELI,"
        "DEAD/EXPIRED,Private,SPAN,OTHER,,ASIAN,,,FALL,1,0",
    ],
    "PATIENTS": [
        "1,900,M,2080-03-02 00:00:00,,,,0",
        "2,901,F,1860-01-02 00:00:00,2160-01-05 00:00:00,2160-01-05 00:00:00,,1",
    ],
    "DIAGNOSES_ICD": ["1,900,8001,2,01999", "2,900,8001,1,42898", "3,900,8001,3,0418", "4,901,8002,,"],
    "PROCEDURES_ICD": ["1,900,8001,1,0099"],
    "PRESCRIPTIONS": [
        "1,900,8001,,2150-03-01 00:00:00,2150-03-04 00:00:00,MAIN,Velocorin ,,,VELO10,097001,0,10 mg Tab,5-10,mg,1-2,"
        "TAB,PO",
        "2,900,8001,77001,2150-03-02 00:00:00,,BASE,Salt Water 0.9%,Salt Water,Salt Water,SALT,,00012345678,1000mL Bag,"
        "1000,mL,1000,mL,IV",
    ],
    "D_ICD_DIAGNOSES": [
        "1,01999,Old lung scar,Scar of the lung from an old infection",
        '2,42898,"Weak heart, wet","Weak heart, with water in the lungs"',
    ],
    "D_ICD_PROCEDURES": ["1,0099,Vessel stent,Placing of one stent in a vessel"],
    "NOTEEVENTS": [
        f'31,900,8001,2150-03-09,,,Discharge summary,Report,,,"{SUMMARY.replace(chr(34), chr(34) * 2)}"',
        "32,900,8001,2150-03-02,2150-03-02 07:00:00,2150-03-02 07:30:00,Physician ,Progress Note,15001,,Walks again.",
        "33,900,8001,2150-03-02,2150-03-02 07:00:00,2150-03-02 07:30:00,Nursing,Progress Note,15001,1,Wrong patient.",
        "34,905,,2149-01-01,,,ECG,Report,,,Even beat.",
    ],
}

OTHERS = dict.fromkeys(
    (f"{name}.csv" for name in (
        "CALLOUT", "CAREGIVERS", "CHARTEVENTS", "CPTEVENTS", "DATETIMEEVENTS", "D_CPT", "D_ITEMS", "D_LABITEMS",
        "DRGCODES", "ICUSTAYS", "INPUTEVENTS_CV", "INPUTEVENTS_MV", "LABEVENTS", "MICROBIOLOGYEVENTS", "OUTPUTEVENTS",
        "PROCEDUREEVENTS_MV", "SERVICES", "TRANSFERS",
    )),
    "row_id\n1\n",
)  # fmt: skip
"""The files of the tables that are not read."""
VIEWS = ("source", "text", "messages", "instruction", "notes")
FIRST: dict[str, Any] = {
    "hadm_id": "8001",
    "subject_id": "900",
    "admittime": "2150-03-01 14:05:00",
    "dischtime": "2150-03-09 11:00:00",
    "deathtime": None,
    "edregtime": "2150-03-01 10:00:00",
    "edouttime": "2150-03-01 15:00:00",
    "admission_type": "EMERGENCY",
    "admission_location": "CLINIC REFERRAL/PREMATURE",
    "discharge_location": "SNF",
    "insurance": "Medicare",
    "language": None,
    "religion": "CATHOLIC",
    "marital_status": "MARRIED",
    "ethnicity": "WHITE",
    "diagnosis": ' WEAK HEART;COUGH\\ "WET"',
    "hospital_expire_flag": False,
    "has_chartevents_data": True,
    "age": 69,
    "is_over_89": False,
    "patient": {
        "gender": "M",
        "dob": "2080-03-02 00:00:00",
        "dod": None,
        "dod_hosp": None,
        "dod_ssn": None,
        "expire_flag": False,
    },
    "diagnoses": [
        {
            "seq_num": 1,
            "icd9_code": "42898",
            "short_title": "Weak heart, wet",
            "long_title": "Weak heart, with water in the lungs",
        },
        {
            "seq_num": 2,
            "icd9_code": "01999",
            "short_title": "Old lung scar",
            "long_title": "Scar of the lung from an old infection",
        },
        {"seq_num": 3, "icd9_code": "0418", "short_title": None, "long_title": None},
    ],
    "procedures": [
        {
            "seq_num": 1,
            "icd9_code": "0099",
            "short_title": "Vessel stent",
            "long_title": "Placing of one stent in a vessel",
        }
    ],
    "prescriptions": [
        {
            "icustay_id": None,
            "startdate": "2150-03-01 00:00:00",
            "enddate": "2150-03-04 00:00:00",
            "drug_type": "MAIN",
            "drug": "Velocorin ",
            "drug_name_poe": None,
            "drug_name_generic": None,
            "formulary_drug_cd": "VELO10",
            "gsn": "097001",
            "ndc": None,
            "prod_strength": "10 mg Tab",
            "dose_val_rx": "5-10",
            "dose_unit_rx": "mg",
            "form_val_disp": "1-2",
            "form_unit_disp": "TAB",
            "route": "PO",
        },
        {
            "icustay_id": "77001",
            "startdate": "2150-03-02 00:00:00",
            "enddate": None,
            "drug_type": "BASE",
            "drug": "Salt Water 0.9%",
            "drug_name_poe": "Salt Water",
            "drug_name_generic": "Salt Water",
            "formulary_drug_cd": "SALT",
            "gsn": None,
            "ndc": "00012345678",
            "prod_strength": "1000mL Bag",
            "dose_val_rx": "1000",
            "dose_unit_rx": "mL",
            "form_val_disp": "1000",
            "form_unit_disp": "mL",
            "route": "IV",
        },
    ],
}
"""The first admission of `TABLES`."""


def demo(tables: Tables) -> dict[str, str]:
    """The files as the open demo has them: `COLUMNS` as the header, quotes only where they are needed."""
    return {f"{name}.csv": "".join(f"{line}\n" for line in (COLUMNS[name], *lines)) for name, lines in tables.items()}


def full(tables: Tables) -> dict[str, str]:
    """The files as the full set has them: an upper-case header, and every text in quotes."""
    files = {}
    for name, lines in tables.items():
        text = io.StringIO()
        text.write(",".join(f'"{column.upper()}"' for column in COLUMNS[name].split(",")) + "\n")
        for cells in csv.reader(io.StringIO("".join(f"{line}\n" for line in lines), newline="")):
            text.write(",".join(map(_in_quotes, cells)) + "\n")
        files[f"{name}.csv"] = text.getvalue()
    return files


def _in_quotes(cell: str) -> str:
    is_bare = not cell or (cell[0].isdigit() and ":" in cell)
    return cell if is_bare else f'"{cell.replace(chr(34), chr(34) * 2)}"'


def write(folder: Path, files: Mapping[str, str], zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_bytes(text.encode())
    return folder


def with_rows(**tables: Sequence[str]) -> dict[str, list[str]]:
    """`TABLES` with other rows in some of them."""
    return {**TABLES, **{name: list(lines) for name, lines in tables.items()}}


def load(folder: Path, view: str = "source", **options: Any) -> Any:
    return hf_builders.load_dataset("mimic3", view, data_dir=str(folder), **options)


def rows_of(folder: Path, view: str = "source", **options: Any) -> list[dict[str, Any]]:
    return load(folder, view, **options)["train"].to_list()


def account_of(folder: Path, view: str = "source", **options: Any) -> Account:
    return hf_builders.account(load(folder, view, **options))["train"]

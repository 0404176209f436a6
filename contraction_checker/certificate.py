"""The check of a whole certificate.

A certificate holds a claim, the region and the system that it speaks of, and evidence: the word of
a rule, with what the rule needs to prove the claim without any search.
"""

from contraction_checker.claim import Case, claim_in_words, read_claim
from contraction_checker.expressions import Definitions
from contraction_checker.json_parts import Json, fields, mapping
from contraction_checker.proof import Proof
from contraction_checker.refusals import MalformedError
from contraction_checker.region import Region
from contraction_checker.rules import RULES
from contraction_checker.terms import GENERATORS

FORMAT, VERSION = "riemannian-modules certificate", 3


def check(certificate: Json) -> list[str]:
    """What is proved of a certificate: the whole claim, and each statement that it rests on.

    Args:
        certificate: The file's JSON, with fractions in place of floats (`certificate_file.load`).

    Raises:
        NotProvedError: If some statement is not proved.
        MalformedError: If the certificate breaks the format; or another error that a wrong type
            raises.
    """
    GENERATORS.clear()
    parts = fields(certificate, "format version claim region system evidence")
    claim = read_claim(parts["claim"])
    evidence = mapping(parts["evidence"], "evidence")
    version = parts["version"]
    if (parts["format"], type(version), version) != (FORMAT, int, VERSION):
        raise MalformedError(f"no certificate of version {VERSION}")
    rule = evidence["rule"]
    if not isinstance(rule, str) or rule not in RULES:
        raise MalformedError(f"the rule {rule!r:.60} is not known here")
    definitions = Definitions()
    region = Region(parts["region"], definitions)
    region.require_point()
    proof = Proof(region, definitions)
    RULES[rule](Case(claim, mapping(parts["system"], "a system"), evidence, proof))
    return [*claim_in_words(claim, parts["region"], parts["system"]), *proof.report]

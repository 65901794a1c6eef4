"""FHIR R4: grammar, storage, search. Shares its name with the distribution `fhir.resources`, hence the path."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

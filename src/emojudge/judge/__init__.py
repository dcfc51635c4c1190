"""The judge: a language model that confirms, corrects or abstains, behind any recogniser."""

"""Prevention: what is recommended to each person at their age and sex, from rules that a doctor can review.

The rule: rules are data (`rules/*.toml`), the engine is pure, facts come through the reader's lens, and what is not
known is asked, never guessed. docs/prevention.md says what each word of a rule means.
"""

"""Who is asking: the OAuth 2 / SMART authorization server and its accounts. Never imports `fhir`."""

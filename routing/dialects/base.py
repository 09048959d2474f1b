"""Plain OpenAI; a provider's dialect overrides what differs."""


class Dialect:
    name = "openai"

"""A person's own Playground history: the one place where prompts and answers are kept."""

from django.db import models

from accounts.models import Organization, User
from routing.ids import make_request_id


class Conversation(models.Model):
    """What a person said and was answered, for nobody else's eyes. Encrypted; see ``history`` for what is inside."""

    id = models.UUIDField(primary_key=True, default=make_request_id)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    sealed_title = models.BinaryField(help_text="Encrypted: what the list shows.")
    sealed = models.BinaryField(help_text="Encrypted: the conversation.")
    changed_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(fields=["user", "organization", "-changed_at", "-id"], name="own_history")]

    def __str__(self) -> str:
        return str(self.id)


class HistoryChoice(models.Model):
    """Whether a person's conversations are kept; without a row they are."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="+")
    keeps = models.BooleanField()

    def __str__(self) -> str:
        return f"{self.user}: {'kept' if self.keeps else 'not kept'}"

"""What requests say: which grammar rules make the system prompt, the user's turns and the answers.

``{rule}`` is expanded anew for each message, ``<rule>`` once for all who share the recipe: with
everyone, with their group, or within one conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stillwatch.simulate.population import Sharing


@dataclass(frozen=True, slots=True)
class Recipe:
    """Templates of one workload, see ``render.compile_templates``."""

    first: str
    later: str = ""
    answer: str = ""
    system: str = ""
    tools: str = ""
    sharing: Sharing = Sharing.CONVERSATION  # of the parts in angle brackets
    output: float = 350.0  # median output tokens
    variants: int = 1  # so many versions of the shared parts


RECIPES: Final[dict[str, Recipe]] = {
    "chat": Recipe("{chat.opening}", "{chat.later}", "{answer.reply}"),
    "international": Recipe("{international.opening}", "{international.later}", "{international.reply}"),
    "homework": Recipe("{mathematics.problem}", "{chat.later}", "{mathematics.answer}"),
    "riddles": Recipe("{puzzles.puzzle}", "{chat.later}", "{answer.reply}"),
    "programming": Recipe("{code.task}", "{code.later}", "{answer.code}", output=600),
    "facts": Recipe("{work.fact}", "{chat.later}", "{answer.reply}"),
    "reading": Recipe("{work.summarise}", "{work.company_later}", "{answer.reply}"),
    "client": Recipe(
        "{chat.opening}", "{chat.later}", "{answer.reply}", system="<client.system>", sharing=Sharing.GROUP
    ),
    "client-code": Recipe(
        "{code.task}",
        "{code.later}",
        "{answer.code}",
        system="<client.system>",
        sharing=Sharing.GROUP,
        output=600,
    ),
    "company": Recipe(
        "{work.company_request}",
        "{work.company_later}",
        "{answer.reply}",
        system="<work.company_system>",
        sharing=Sharing.GROUP,
    ),
    "tickets": Recipe("<work.ticket_head>{work.text}", sharing=Sharing.ACCOUNT, output=40),
    "summaries": Recipe("<work.summary_head>{work.document}", sharing=Sharing.ACCOUNT, output=120),
    "translations": Recipe("<work.translate_head>{work.text}", sharing=Sharing.ACCOUNT, output=150),
    "log-lines": Recipe("<work.logs_head>{work.logs}", sharing=Sharing.ACCOUNT, output=200),
    "test-data": Recipe("<generation.head>{generation.seeds}", sharing=Sharing.ACCOUNT, output=900),
    "class": Recipe("{class.question}", output=500),
    "benchmark": Recipe("<evaluation.head>{evaluation.item}", sharing=Sharing.EVERYONE, output=200),
    "judge": Recipe(
        "<grading.open_template>{grading.item}", sharing=Sharing.EVERYONE, variants=3, output=180
    ),
    "template": Recipe(
        "<generation.template>{generation.persona}", sharing=Sharing.EVERYONE, variants=8, output=500
    ),
    "template-problem": Recipe(
        "<generation.step_template>{mathematics.problem}", sharing=Sharing.EVERYONE, variants=8, output=500
    ),
    "harness": Recipe(
        "{agent.task}",
        "{agent.observation}",
        "{agent.act}",
        system="<agent.system>",
        tools="agent.tools",
        sharing=Sharing.GROUP,
    ),
    "ci": Recipe(
        "{agent.ci_task}",
        "{agent.observation}",
        "{agent.act}",
        system="<agent.ci_system>",
        tools="agent.tools",
        sharing=Sharing.GROUP,
    ),
    # campaigns: the wording of the shared parts follows from the seed of the world
    "elicit-mathematics": Recipe(
        "<scaffolds.elicit_head>{mathematics.long_problem}<scaffolds.elicit_tail>",
        sharing=Sharing.EVERYONE,
        output=1400,
    ),
    "elicit-puzzles": Recipe(
        "<scaffolds.elicit_head>{puzzles.long_puzzle}<scaffolds.elicit_tail>",
        sharing=Sharing.EVERYONE,
        output=1400,
    ),
    "elicit-paraphrased": Recipe("{scaffolds.paraphrase}{mathematics.problem}", output=1400),
    "elicit-code": Recipe("<scaffolds.engineering>{code.project}", sharing=Sharing.EVERYONE, output=1800),
    "generate": Recipe("<generation.head>{generation.seeds}", sharing=Sharing.EVERYONE, output=1500),
    "grade": Recipe("<grading.rubric>{grading.item}", sharing=Sharing.EVERYONE, output=60),
    "trajectories": Recipe(
        "{agent.task}",
        "{agent.observation}",
        "{agent.act}",
        system="<agent.system>",
        tools="agent.tools",
        sharing=Sharing.EVERYONE,
        output=300,
    ),
    "clean-traces": Recipe("<scaffolds.clean>{scaffolds.trace}", sharing=Sharing.EVERYONE, output=700),
    "restate": Recipe(
        "<scaffolds.restate>{mathematics.long_problem}{mathematics.solution}",
        sharing=Sharing.EVERYONE,
        output=1200,
    ),
    "replay": Recipe("{chat.opening}", system="<agent.system>", sharing=Sharing.EVERYONE, output=500),
}

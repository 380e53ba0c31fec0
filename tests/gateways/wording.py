"""Small grammars for what people and programs write: texts of the tests' own, no two alike.

Slots come every few words, so that two draws from one template seldom share eight words in a row.
"""

from __future__ import annotations

import random
import re
import string
from typing import Final

_WORDS: Final = {
    "noun": (
        "anchor archive bakery balcony barrel beacon bicycle blanket boiler bridge brook bucket button "
        "cabinet canal candle canvas carpet castle catalogue cellar chapel charter chimney circuit cistern "
        "clinic compass cottage counter courtyard crane curtain dairy darkroom desk diary dock drawer "
        "engine factory farm fence ferry filter flute forest fountain furnace gallery garage garden gate "
        "glacier greenhouse hammer harbour harvest hedge helmet hinge hostel hotel island jacket journal "
        "kettle kitchen ladder lantern laundry ledger lens library lighthouse locker loom machine mailbox "
        "manual market meadow mill mirror mosaic motor museum notebook nursery oak office orchard oven "
        "parcel pavilion pension piano pipeline planet pocket pond porch portrait pottery pump quarry "
        "railway rake ranch recipe reservoir ribbon river roof rope sail saddle schedule school script "
        "shelf shop signal sketchbook sofa spice staircase stove studio suitcase summit survey tablet "
        "tavern telescope tent theatre ticket timetable tower tractor trail tunnel umbrella valve van "
        "vault veranda village vineyard violin wagon warehouse well windmill window workshop yard"
    ),
    "thing": (
        "allowance answer budget choice claim comparison complaint contract cost custom deadline debate "
        "decision delay delivery difference discount draft effort estimate excuse failure fashion favour "
        "fee forecast habit hint idea insurance interview invoice joke lesson letter licence limit list "
        "loan loss memory message method mistake mood motive name need news offer opinion order pattern "
        "payment permit plan plot policy position price problem process profit project promise proof "
        "purpose quota reason record refund rent repair reply request result review reward risk routine "
        "rule salary season shape shift skill story style subject summary surprise task taste theory topic "
        "trade trend trial trip value version vote warning wish"
    ),
    "quality": (
        "ancient annual awkward blue bold brief bright broad broken calm careful cheap clean clear clever "
        "coarse cold common crowded curious damp dark deep dense distant dry dusty early eastern empty "
        "faint fair famous fine firm flat foreign fragile fresh gentle golden grand green half-finished "
        "hasty heavy hidden hollow huge idle local lonely long loose loud minor modern narrow neat noisy "
        "northern odd old open pale patient plain polite private proud quick quiet rare rough rusty sharp "
        "short silver simple slow small smooth soft southern spare stale steep strange strict striped "
        "sturdy sudden tall temporary thick thin tidy tired unusual vague warm western wide wild wooden "
        "young"
    ),
    "act": (
        "adjust announce arrange assemble balance borrow build carry check clean climb close collect "
        "compare copy count cover cross deliver describe design divide draw empty examine exchange explain "
        "fill find finish fix follow gather grade guard hang heat hide improve inspect join judge keep "
        "label launch lend lift load lock lower mark measure melt mend mix move name number open order "
        "pack paint pass place plan plant polish pour prepare press print prove pull push raise reach "
        "record reduce remove rent repair replace restore return roll save seal search sell send settle "
        "share shift show sketch sort split spread stack start stop store study sweep test tie touch trace "
        "trade transport trim turn unload visit wash watch weigh wrap write"
    ),
    "place": (
        "Alder Bay|Ashcombe|Birch Hollow|Brackwater|Castle Moor|Dunfield|Eastmere|Fallow End|Fernley|"
        "Glasswick|Harrow Point|Heron Quay|Ivy Cross|Kelmore|Lark Rise|Linden Vale|Marlow Gap|Nettlebed|"
        "Northam|Oakhanger|Pebble Cove|Quarry Bank|Redmire|Rookhope|Saltmarsh|Stonegate|Swan Reach|"
        "Tarnside|Thornbury|Upper Wey|Westerleigh|Yarrow Hill"
    ),
    "person": (
        "Abena Adil Agnes Akira Aleksy Amara Anouk Arjun Astrid Bao Beatriz Bogdan Caio Carmen Chiara "
        "Dalia Daria Eero Eliza Emre Esther Farah Fergus Freya Gaspar Greta Hamid Hanna Hiro Ilse Imani "
        "Ines Ivo Jonas Juno Kamal Katya Keiko Kofi Lars Leila Liam Lucia Magda Malik Mei Mira Nadia Nils "
        "Noor Oksana Olu Otto Paloma Petra Priya Quentin Rafael Rosa Ruben Sadie Samir Selma Sora Tamsin "
        "Tarek Teo Ulla Vera Viktor Wanda Wen Xenia Yara Yusuf Zofia"
    ),
    "when": (
        "after breakfast|all winter|as a rule|at dawn|at the weekend|before the holidays|by noon|"
        "during the storm|each quarter|every other day|for now|for once|in spring|in the evening|"
        "in a hurry|last month|most mornings|next year|now and then|on Tuesdays|on short notice|"
        "once a week|over lunch|so far|these days|this summer|twice a season|until recently|when it rains|"
        "without warning"
    ),
}
_BANK: Final = {
    kind: words.split("|") if "|" in words else words.split() for kind, words in _WORDS.items()
}  # fmt: skip

_SENTENCES: Final = (
    "The {quality} {noun} near {place} is hard to {act} {when}.",
    "{person} wants to {act} the {noun}, but the {thing} looks {quality}.",
    "{when}, a {quality} {thing} made {person} {act} every {noun} in {place}.",
    "Nobody at the {noun} could {act} such a {quality} {thing}.",
    "To {act} a {noun}, {person} first has to {act} the {quality} {noun}.",
    "Their {thing} about the {noun} was {quality} and rather {quality}.",
    "{person} and {person} {act} the {noun} {when}; {place} pays for the {thing}.",
    "What {person} calls a {thing} is mostly a {quality} {noun}.",
    "{place} has a {noun}, a {noun} and {number} other {quality} places to {act}.",
    "It takes {number} people to {act} the {quality} {noun} of {person}.",
    "Each {thing} from {place} comes with a {quality} {noun} and one {thing}.",
    "If the {noun} stays {quality}, {person} will {act} it {when}.",
)
_QUESTIONS: Final = (
    "How would you {act} a {quality} {noun} without a {thing}?",
    "Why did my {noun} turn {quality} {when}, and can I still {act} it?",
    "Could you give me a {quality} {thing} for {person}'s {noun} in {place}?",
    "What is a {quality} way to {act} {number} {noun} parts {when}?",
    "My {thing} with the {noun} went {quality}; what should {person} {act} next?",
    "Is a {quality} {noun} worth the {thing}, or should I {act} the one from {place}?",
    "Please help me {act} a {thing} to {person} about the {quality} {noun}.",
    "Which {noun} suits a {quality} {thing} in {place} {when}?",
)
_PREMISES: Final = (
    "A {noun} in {place} holds {number} crates, and {person} can {act} {number} of them per hour.",
    "{person} must {act} {number} {quality} {noun} pieces, each worth {number} coins.",
    "Every {number} minutes the {quality} {noun} loses {number} litres, unless {person} starts to {act} it.",
    "The {thing} of the {noun} grows by {number} percent {when}.",
    "{number} teams from {place} {act} in turns, and team {number} never meets the {quality} {noun}.",
    "A {quality} road of {number} kilometres leads from {place} to a {noun}, a {thing} per {number} metres.",
    "Whoever wants to {act} the {noun} pays {number} for one {thing} and {number} for each further one.",
    "Of {number} {quality} tickets, {number} are void, and {person} draws {number} of them {when}.",
    "{person} is {number} places behind {person} in the queue for the {quality} {noun}.",
    "No two of the {number} {noun} lamps that {person} and {person} {act} may share a {quality} {thing}.",
)
_DEMANDS: Final = (
    "How many hours pass before {person} can {act} the last {noun}?",
    "Find the smallest {thing} for which the {quality} {noun} never runs dry.",
    "In how many ways can {person} {act} them so that no {quality} {thing} repeats?",
    "What is the largest sum that {person} may keep once the {noun} has closed?",
    "Decide whether {person} can always {act} more than {person}, and by what margin.",
)


def sentences(chance: random.Random, count: int) -> str:
    """Return ``count`` sentences of plain prose."""
    return " ".join(_filled(chance, chance.choice(_SENTENCES)) for _ in range(count))


def question(chance: random.Random) -> str:
    """Return what a person asks: a question of its own with none to three sentences around it."""
    asked = _filled(chance, chance.choice(_QUESTIONS))
    return " ".join(part for part in (sentences(chance, chance.randint(0, 3)), asked) if part)


def problem(chance: random.Random, words: int) -> str:
    """Return a problem to reason about, about ``words`` words long."""
    told: list[str] = []
    while sum(len(part.split()) for part in told) < words:
        told.append(_filled(chance, chance.choice(_PREMISES)))
    return " ".join([*told, _filled(chance, chance.choice(_DEMANDS))])


def _filled(chance: random.Random, template: str) -> str:
    parts = []
    for text, slot, _, _ in string.Formatter().parse(template):
        parts.append(text)
        if slot:
            parts.append(str(chance.randint(3, 997)) if slot == "number" else chance.choice(_BANK[slot]))
    filled = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", "".join(parts))
    return filled[0].upper() + filled[1:]

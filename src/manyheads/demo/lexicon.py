"""The content words of the demo corpus. Training and dev have no content word in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentiment:
    """Words for opinions: things with their parts, and adjectives by strength."""

    things: tuple[tuple[str, tuple[str, ...]], ...]
    superb: tuple[str, ...]
    good: tuple[str, ...]
    poor: tuple[str, ...]
    awful: tuple[str, ...]


@dataclass(frozen=True)
class Questions:
    """Words for questions.

    `deeds`: actions as (wording, other wording), and the objects of the actions. `swaps`: things that can be changed
    into each other. `settings`: wishes and their opposites.
    """

    deeds: tuple[tuple[tuple[tuple[str, str], ...], tuple[str, ...]], ...]
    swaps: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Scenes:
    """Words for scenes: who, does what, where, and facts. Each entry has two wordings."""

    who: tuple[tuple[str, str], ...]
    what: tuple[tuple[str, str], ...]
    where: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lexicon:
    """All content words of the training or the dev files."""

    sentiment: Sentiment
    questions: Questions
    scenes: Scenes


TRAIN = Lexicon(
    sentiment=Sentiment(
        things=(
            ("film", ("plot", "cast", "soundtrack", "ending")),
            ("novel", ("plot", "prose", "ending")),
            ("concert", ("music", "hall", "singing")),
            ("hotel", ("room", "bed", "staff", "pool")),
            ("restaurant", ("soup", "dessert", "staff", "menu")),
            ("laptop", ("keyboard", "picture", "casing")),
            ("podcast", ("host", "theme")),
            ("museum", ("guide", "collection")),
            ("workshop", ("guide", "room")),
            ("series", ("plot", "cast", "ending")),
        ),
        superb=(
            "superb",
            "wonderful",
            "brilliant",
            "magnificent",
            "outstanding",
            "fantastic",
            "perfect",
            "stunning",
            "excellent",
            "unforgettable",
            "dazzling",
            "glorious",
        ),
        good=("decent", "pleasant", "nice", "fine", "likeable", "agreeable", "good", "solid", "enjoyable", "neat"),
        poor=("dull", "weak", "bland", "slow", "clumsy", "bad", "tiring", "stale", "messy", "thin"),
        awful=(
            "dreadful",
            "horrible",
            "terrible",
            "unbearable",
            "disgusting",
            "appalling",
            "atrocious",
            "worthless",
            "miserable",
            "vile",
            "disastrous",
            "hideous",
        ),
    ),
    questions=Questions(
        deeds=(
            (
                (("repair", "fix"), ("clean", "wash"), ("sell", "find a buyer for")),
                ("a leather jacket", "a wool coat", "a silk shirt", "a used car", "an old bicycle"),
            ),
            ((("grow", "raise"), ("store", "keep")), ("tomatoes", "potatoes", "strawberries", "onions", "pumpkins")),
            (
                (("learn", "teach myself"), ("practise", "train my")),
                ("French", "Italian", "Japanese", "chess", "handwriting"),
            ),
            (
                (("cancel", "call off"), ("buy", "purchase")),
                ("a gym membership", "a phone contract", "a magazine subscription", "a plane ticket"),
            ),
            ((("choose", "pick"), ("remove", "get rid of")), ("a sofa", "a carpet", "a mattress", "a bathtub")),
            ((("tune", "adjust"), ("carry", "transport")), ("a piano", "a guitar", "a violin", "a harp")),
        ),
        swaps=(
            ("dollars", "euros"),
            ("Paris", "London"),
            ("miles", "kilometres"),
            ("a PDF", "a spreadsheet"),
            ("gas", "electricity"),
            ("medicine", "law"),
            ("Monday", "Friday"),
            ("cash", "shares"),
        ),
        settings=(
            ("sleep", "stay awake"),
            ("lose weight", "put on pounds"),
            ("save money", "waste a salary"),
            ("calm a crying baby", "upset an infant"),
            ("cure a headache", "bring on a migraine"),
            ("win an argument", "be defeated in a debate"),
            ("remember birthdays", "forget anniversaries"),
        ),
    ),
    scenes=Scenes(
        who=(
            ("a man", "a guy"),
            ("a little girl", "a small female child"),
            ("a dog", "a hound"),
            ("a chef", "a cook"),
            ("two students", "a pair of pupils"),
            ("a farmer", "a grower of crops"),
            ("a singer", "a vocalist"),
            ("some tourists", "several sightseers"),
        ),
        what=(
            ("is slicing an onion", "is cutting up an onion bulb"),
            ("is riding a horse", "sits on a galloping pony"),
            ("is playing the drums", "is drumming"),
            ("is reading a newspaper", "is looking through the daily press"),
            ("is drinking coffee", "is sipping an espresso"),
            ("is painting a fence", "is brushing colour on a railing"),
            ("is running", "is sprinting"),
            ("is taking photographs", "is shooting snapshots"),
        ),
        where=(
            ("in the kitchen", "by the stove"),
            ("on the beach", "at the seaside"),
            ("in the street", "on the road"),
            ("on the stage", "before an audience"),
            ("in the forest", "among the trees"),
            ("at the station", "on the platform"),
        ),
        facts=(
            ("Share prices fell sharply on Tuesday", "Stocks tumbled on Tuesday"),
            ("The minister resigned over the scandal", "The scandal cost the minister his job"),
            ("The storm left thousands without power", "Thousands lost electricity because of the storm"),
            ("Scientists found a new planet", "Astronomers discovered an unknown planet"),
            ("The company will close two factories", "The firm is shutting two plants"),
            ("The striker scored three goals in the final", "The forward hit a hat-trick in the final"),
            ("The bridge reopened after repairs", "Traffic crosses the patched bridge again"),
            ("The court freed the journalist", "The reporter was released by the judges"),
        ),
    ),
)

DEV = Lexicon(
    sentiment=Sentiment(
        things=(
            ("play", ("acting", "dialogue")),
            ("album", ("melody", "rhythm")),
            ("cafe", ("waiter", "breakfast", "sauce")),
            ("camera", ("screen", "battery", "zoom")),
            ("lecture", ("speaker", "introduction")),
            ("apartment", ("balcony", "view")),
            ("video game", ("dialogue", "screen")),
            ("cruise", ("breakfast", "balcony", "crew")),
            ("exhibition", ("lighting", "catalogue")),
        ),
        superb=(
            "marvellous",
            "amazing",
            "exquisite",
            "phenomenal",
            "splendid",
            "sublime",
            "incredible",
            "gorgeous",
            "masterly",
        ),
        good=("appealing", "okay", "satisfying", "worthwhile", "charming", "tidy", "cosy", "useful"),
        poor=("boring", "mediocre", "disappointing", "shallow", "tedious", "lifeless", "awkward", "noisy"),
        awful=(
            "awful",
            "abysmal",
            "ghastly",
            "revolting",
            "pathetic",
            "horrendous",
            "insufferable",
            "rotten",
            "catastrophic",
        ),
    ),
    questions=Questions(
        deeds=(
            (
                (("mend", "restore"), ("polish", "buff")),
                ("a broken watch", "a wooden table", "a brass lamp", "a marble floor"),
            ),
            ((("study", "get better at"),), ("chemistry", "algebra", "philosophy", "history")),
            ((("rent", "lease"), ("build", "construct")), ("a boat", "a garage", "an office", "a cottage")),
            ((("roast", "bake"), ("season", "spice")), ("salmon", "aubergines", "chickpeas", "cauliflower")),
            (
                (("delete", "erase"), ("copy", "duplicate")),
                ("an address book", "a blog", "a playlist", "a calendar"),
            ),
        ),
        swaps=(
            ("Celsius", "Fahrenheit"),
            ("Berlin", "Madrid"),
            ("litres", "gallons"),
            ("nursing", "engineering"),
            ("Windows", "Linux"),
            ("bonds", "gold"),
        ),
        settings=(
            ("relax", "become stressed"),
            ("improve eyesight", "harm vision"),
            ("attract customers", "frighten away clients"),
            ("cool a house", "heat up a home"),
            ("protect skin", "get sunburnt"),
        ),
    ),
    scenes=Scenes(
        who=(
            ("a woman", "a lady"),
            ("a young boy", "a male kid"),
            ("a cat", "a feline"),
            ("a doctor", "a physician"),
            ("four soldiers", "a quartet of troops"),
            ("a carpenter", "a woodworker"),
            ("a dancer", "a ballerina"),
        ),
        what=(
            ("is peeling a carrot", "is scraping the skin from a carrot"),
            ("is driving a truck", "is at the wheel of a lorry"),
            ("is writing a letter", "is penning a note"),
            ("is eating a sandwich", "is munching filled bread"),
            ("is lifting a heavy box", "is hoisting a massive crate"),
            ("is swimming", "is doing breaststroke"),
            ("is laughing", "is giggling"),
        ),
        where=(
            ("in the garden", "on the lawn"),
            ("in the hospital", "at the clinic"),
            ("by the river", "next to the stream"),
            ("in a bakery", "at a pastry counter"),
            ("on the roof", "on top of the building"),
        ),
        facts=(
            ("Oil became cheaper last week", "Crude sank in value some days ago"),
            ("The president signed the treaty", "The head of state put his name to the pact"),
            ("Floods destroyed the village", "The hamlet was wrecked by high water"),
            ("Engineers tested a flying taxi", "An air cab was tried out by its designers"),
            ("The airline cancelled its flights", "The carrier grounded every jet"),
            ("Police arrested a suspected thief", "Officers caught an alleged robber"),
        ),
    ),
)

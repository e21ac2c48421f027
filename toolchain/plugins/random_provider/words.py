"""Words that pets are named from: adverbs, adjectives, animals."""

from __future__ import annotations

from typing import Final

ADVERBS: Final = (
    "barely", "boldly", "briefly", "brightly", "calmly", "clearly", "deeply", "duly", "early", "evenly", "fairly",
    "firmly", "fondly", "freely", "freshly", "gently", "gladly", "greatly", "happily", "highly", "hugely", "kindly",
    "largely", "lightly", "loosely", "mainly", "merely", "mildly", "mostly", "namely", "nearly", "neatly", "newly",
    "nicely", "openly", "overly", "partly", "plainly", "purely", "quickly", "quietly", "rarely", "readily", "really",
    "richly", "safely", "sharply", "simply", "slightly", "slowly", "smoothly", "softly", "solely", "soundly", "stably",
    "steadily", "strictly", "strongly", "surely", "swiftly", "truly", "vastly", "warmly", "widely", "wisely",
)  # fmt: skip
ADJECTIVES: Final = (
    "able", "agile", "amber", "ample", "apt", "blue", "bold", "brave", "brief", "bright", "calm", "candid", "clean",
    "clear", "clever", "cool", "cosy", "crisp", "daring", "dear", "deft", "eager", "early", "easy", "fair", "famous",
    "fast", "fine", "firm", "fit", "fluent", "fond", "free", "fresh", "full", "gentle", "glad", "golden", "good",
    "grand", "great", "green", "happy", "hardy", "honest", "humble", "ideal", "jolly", "just", "keen", "kind", "large",
    "light", "live", "loyal", "lucky", "mellow", "merry", "mighty", "modest", "neat", "nimble", "noble", "novel",
    "open", "patient", "plain", "polite", "prime", "proud", "pure", "quick", "quiet", "rapid", "rare", "ready", "rich",
    "robust", "safe", "sharp", "silent", "smart", "smooth", "sound", "stable", "steady", "strong", "sunny", "sure",
    "swift", "tender", "tidy", "true", "vital", "vivid", "warm", "whole", "wise", "witty", "worthy",
)  # fmt: skip
ANIMALS: Final = (
    "adder", "alpaca", "ant", "badger", "bat", "beagle", "bear", "beaver", "bee", "bison", "boar", "bobcat", "buck",
    "camel", "cat", "cheetah", "cicada", "cod", "colt", "condor", "cougar", "cow", "coyote", "crab", "crane", "cricket",
    "crow", "cub", "deer", "dingo", "dodo", "doe", "dog", "dove", "drake", "duck", "eagle", "eel", "egret", "elf",
    "elk", "emu", "falcon", "fawn", "ferret", "finch", "fly", "foal", "fowl", "fox", "frog", "gannet", "gecko",
    "gibbon", "giraffe", "gnu", "goat", "goose", "grouse", "gull", "hamster", "hare", "hawk", "hen", "heron", "hippo",
    "hornet", "horse", "hound", "husky", "ibex", "impala", "jackal", "jaguar", "jay", "kite", "kiwi", "koala", "koi",
    "lamb", "lark", "lemur", "lion", "lizard", "llama", "lobster", "lynx", "macaw", "magpie", "marten", "mink", "mole",
    "moose", "moth", "mouse", "mule", "newt", "ocelot", "osprey", "otter", "owl", "ox", "oyster", "panda", "panther",
    "parrot", "pelican", "perch", "pig", "pony", "puma", "quail", "rabbit", "ram", "raven", "robin", "salmon", "seal",
    "shark", "sheep", "shrew", "shrimp", "skunk", "sloth", "snail", "snipe", "sparrow", "squid", "stag", "starling",
    "stork", "sunfish", "swan", "swift", "tapir", "tern", "terrier", "tiger", "toad", "trout", "turkey", "turtle",
    "viper", "vole", "walrus", "wasp", "weasel", "whale", "wolf", "wombat", "wren", "yak", "zebra",
)  # fmt: skip

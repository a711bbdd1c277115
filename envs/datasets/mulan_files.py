"""Sizes in bytes and SHA-256 of the Mulan sets' files at the pinned commit."""

FILES: dict[str, tuple[int, str]] = {
    "bibtex/bibtex-test.arff": (1215637, "9b03329cde64d3f994bdf7fbbac3f3b10fe185c311cb9ae725475f59c7f3f922"),
    "bibtex/bibtex-train.arff": (2292961, "8dcc9de6e0b2cebaec8c1f4fac78431adeeb73cfd3ab879b530a66d366e59174"),
    "bibtex/bibtex.xml": (5880, "08fe20013c1e75dcf1888c185f5187c95e76495b8518ce289b4d3afce38d1232"),
    "birds/birds-test.arff": (540883, "51ba6326d65ccdd7c755b6461280eb6d2769c7f59d8e12fd4250f91e6ca28326"),
    "birds/birds-train.arff": (539367, "8f215db6ee163149901e753977f631ba8bea0e0e8e1abc42b234414822f8ae36"),
    "birds/birds.xml": (889, "0f4ea547b2b3d538c8402662daf689e0d4520cc8b4f5ba113c2e7c01700f010f"),
    "corel5k/Corel5k-test-sparse.arff": (
        60876,
        "e8f8e9cd052c43ba7bdfdf99d242f461fc8c2a03163466d921e576887b51d8a7",
    ),
    "corel5k/Corel5k-train-sparse.arff": (
        339535,
        "19eb253c447144bea74ffa86b4731a56022addae2ba7d0aab72ad07fdc02e9b3",
    ),
    "corel5k/Corel5k.xml": (11222, "54ef6a6ccb7ca9b77524052b34b306d5d501661a5609b9d1cc7085b2b597679d"),
    "delicious/delicious-test.arff": (
        757565,
        "2dfb01723a819914b0ca83361177ed413ce3f2169851d9f228d4692915d63944",
    ),
    "delicious/delicious-train.arff": (
        3056590,
        "030186cdb542ebdd32052fcdbb1ebe30115b3a22518c1b4b198c45eb827aebe1",
    ),
    "delicious/delicious.xml": (34303, "4e0c0f93c7d86a39b9fca4aaefaa00e9428f2c80277732dfbf03ca48e2c14da2"),
    "emotions/emotions-test.arff": (
        132007,
        "f13d4b746b7b5c8eb484bd751d6ac463d4560dff998a93516a5c1fe35daf6c8f",
    ),
    "emotions/emotions-train.arff": (
        252080,
        "bbe704106c79bb8fb99c1d1d2e9bde081d6a2daeb01f100862f11fd91a3c1f98",
    ),
    "emotions/emotions.xml": (323, "dbce8e6ccbbb2fcbfd9e9edbb230d7ed12692c6e13f59fdbc0161fa9b6cf2dc0"),
    "enron/enron-test.arff": (324140, "2f3aad54a8f54caaab4ab01246fe9dd385ba944a2633028f52747b57eac5474e"),
    "enron/enron-train.arff": (607799, "2988cefc1cdf7a8004a20ef84615cc8fa1b5d7434c16687283b41454e2d9d194"),
    "enron/enron.xml": (1604, "ed40c92d7f613eed51714912cab10dddc4ce456262137d8fef230d44c7f4457b"),
    "flags/flags-test.arff": (4218, "09f6136fae47dcc2f0f491efd6401a11072cbfb0bfbb2666c63b35bb06aeeb16"),
    "flags/flags-train.arff": (7707, "1861cdab7f8baf1aef6fb6198f304465ddfd99b7f9a435337c604119522df3c5"),
    "flags/flags.xml": (304, "7c9ed21a91b716b91f811323e20ee5a260ea2da62a5edcfeb1b91ec855a48f17"),
    "medical/medical-test.arff": (99124, "6be472e75a6c0b0916187f343a398011b1b26f8f0ddc682c575312ad3532f6c4"),
    "medical/medical-train.arff": (69680, "c764f45756ab1c553b8b4eaaf5605a5610a43bbbcf37492d0f1a12bf9c9e2244"),
    "medical/medical.xml": (1818, "51fa9d5c09e48caff3f0a0c75db1c9aa85944f8e35451f3ad8bd56fc422286ce"),
    "scene/scene-test.arff": (3090742, "ea38d20296b3ff7e220f477a3b802a9bcb2d768881fe6ee163efbc97ea527a42"),
    "scene/scene-train.arff": (3127968, "b53ba93bdf412de922e3960389bcee24744fa3e872ce610511fc1d750888b64d"),
    "scene/scene.xml": (285, "55d8b247b949ad5c52e5a73d8c6775ec6e5469ce9682465b45b333b68ee4bcc5"),
    "tmc2007/tmc2007-500-test.arff": (
        1054414,
        "b24f9c3f1eba77c9da0bbaff093ba41d331b7351be0167a8e1e3852c62e25e38",
    ),
    "tmc2007/tmc2007-500-train.arff": (
        3152791,
        "edfe7b7615c6f80e54c92a214437610d1ae36560c5cc6c4253b51c434d258273",
    ),
    "tmc2007/tmc2007-500.xml": (783, "cb6a67c8ae72fd9b47d89f77aa5b7f6cafb4ba9c20b1124c65a95a3f2caec38d"),
    "yeast/yeast-test.arff": (918515, "4aaac102bff9669a765bf0b378602e5cc8c3b181048282e2f003117b496d552a"),
    "yeast/yeast-train.arff": (1501117, "e759dc991ff54694a4ff9c4314f3be0d6fd2b1994a4b563f57e416394c6aebbd"),
    "yeast/yeast.xml": (526, "c3056cc26444b5158b1588d1b73bec9c45429e10f0957ad085903423cb81f247"),
}
"""By ``folder/file``."""

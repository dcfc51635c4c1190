"""Short recordings and texts over HTTP: the same as the library says, one failure beside the others."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import emojudge
from emojudge.audio.decode import decode
from emojudge.records import Prediction, Transcript, Utterance
from tests.serve.serving import Server, voice, wav, webm


def test_a_recording_gives_what_the_library_gives(server: Server) -> None:
    content = wav(voice(1.5, seed=1))
    answer = server.upload("/v1/predict", ("talk.wav", content), fields=(("transcript", "I am so happy"),))
    assert answer.status == 200, answer.body
    (found,) = answer.json["results"]
    mine = emojudge.load(asr="none", threads=1)(content, transcript="I am so happy")
    assert Prediction.model_validate(found) == mine.model_copy(update={"id": "talk.wav"})


def test_requests_of_many_clients_at_once_are_answered_each_with_its_own(server: Server) -> None:
    recognizer = emojudge.load(asr="none", threads=1)
    words = Transcript(text="Leave me alone", source="given")
    contents = [wav(voice(0.6 + 0.2 * n, seed=n)) for n in range(8)]

    def ask(number: int) -> dict:  # type: ignore[type-arg]
        fields = (("transcript", words.text),) if number % 2 else ()
        answer = server.upload("/v1/predict", (f"{number}.wav", contents[number]), fields=fields)
        return answer.json["results"][0]

    with ThreadPoolExecutor(8) as pool:
        found = [Prediction.model_validate(result) for result in pool.map(ask, range(8))]
    mine = recognizer.predict(
        (Utterance(id=f"{n}.wav", transcript=words if n % 2 else None), decode(content))
        for n, content in enumerate(contents)
    )
    for theirs, ours in zip(found, mine, strict=True):
        assert isinstance(ours, Prediction)
        assert (theirs.id, theirs.modalities, theirs.seconds) == (ours.id, ours.modalities, ours.seconds)
        # Sums of a larger matrix product are rounded in another order.
        assert theirs.scores == pytest.approx(ours.scores, abs=1e-5)
        assert theirs.attributes.model_dump() == pytest.approx(ours.attributes.model_dump(), abs=1e-4)


def test_several_files_one_of_them_broken(server: Server) -> None:
    good = wav(voice(1.0))
    answer = server.upload("/v1/predict", ("a.wav", good), ("b.wav", b"PK\3\4 no"), ("c.wav", good))
    assert answer.status == 200
    first, second, third = answer.json["results"]
    assert (first["id"], third["id"]) == ("a.wav", "c.wav")
    assert first["scores"] == third["scores"]
    assert second == {"id": "b.wav", "error": second["error"]}
    assert "a ZIP archive" in second["error"]


def test_nothing_but_broken_files_is_a_problem(server: Server) -> None:
    answer = server.upload("/v1/predict", ("a.wav", b"PK\3\4 no"))
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["found"] == "a ZIP archive"
    assert answer.json["advice"] == "Unpack it first."
    answer = server.upload("/v1/predict", ("a.wav", b""), ("b.wav", b"RIFF"))
    assert answer.status == 422
    assert [failure["id"] for failure in answer.json["failures"]] == ["a.wav", "b.wav"]


def test_words_alone_by_form_and_by_json(server: Server) -> None:
    by_form = server.upload("/v1/predict", fields=(("transcript", "I won!"),))
    by_json = server.ask("POST", "/v1/predict", {"inputs": [{"transcript": "I won!", "id": "text 1"}]})
    assert by_form.json == by_json.json
    assert by_form.json["results"][0]["modalities"] == ["text"]


def test_what_a_browser_records(server: Server) -> None:
    answer = server.upload("/v1/predict", ("blob", webm(voice(2.0, rate=48_000))))
    assert answer.status == 200, answer.body
    assert abs(answer.json["results"][0]["seconds"] - 2.0) < 0.05


def test_a_name_is_a_label_and_never_a_path(server: Server) -> None:
    answer = server.upload("/v1/predict", ("../../etc/passwd", wav(voice(0.5))))
    assert answer.json["results"][0]["id"] == "passwd"


def test_too_long_for_an_answer_at_once(server: Server) -> None:
    answer = server.upload("/v1/predict", ("long.wav", wav(voice(301.0, rate=4_000), 4_000, "PCM_U8")))
    assert answer.status == 422
    assert "300 s" in answer.json["detail"]
    assert "job" in answer.json["advice"]


def test_files_and_transcripts_have_to_go_together(server: Server) -> None:
    two = (("transcript", "one"), ("transcript", "two"))
    answer = server.upload("/v1/predict", ("a.wav", wav(voice(0.5))), fields=two)
    assert (answer.status, answer.json["found"]) == (422, "2 transcripts and 1 files")


def test_addresses_are_refused_unless_allowed(server: Server) -> None:
    for url in ("https://example.org/a.wav", "file:///etc/passwd", "http://127.0.0.1/"):
        assert server.ask("POST", "/v1/predict", {"inputs": [{"url": url}]}).status == 403


def test_humes_shape(server: Server) -> None:
    content = wav(voice(1.0))
    ours = server.upload("/v1/predict", ("a.wav", content), fields=(("transcript", "Oh no"),)).json
    (file,) = server.upload(
        "/v1/predict?format=hume", ("a.wav", content), fields=(("transcript", "Oh no"),)
    ).json
    (prediction,) = file["results"]["predictions"]
    (group,) = prediction["models"]["prosody"]["grouped_predictions"]
    (segment,) = group["predictions"]
    assert (prediction["file"], segment["text"]) == ("a.wav", "Oh no")
    assert segment["time"] == {"begin": 0.0, "end": 1.0}
    scores = {item["name"]: item["score"] for item in segment["emotions"]}
    assert list(scores.values()) == list(ours["results"][0]["scores"].values())
    assert list(scores) == ["Anger", "Sadness", "Joy", "Surprise", "Fear", "Disgust", "Contempt", "Neutral"]


def test_the_judge_is_asked_where_that_is_asked_for(server: Server) -> None:
    answer = server.upload(
        "/v1/predict?judge=true", ("a.wav", wav(voice(1.0))), fields=(("transcript", "Oh no"),)
    )
    verdict = answer.json["results"][0]["verdict"]
    assert verdict["provider"] == "echo"
    prediction = server.upload("/v1/predict", fields=(("transcript", "I lost it all"),)).json["results"][0]
    verdict = server.ask("POST", "/v1/judge", prediction)
    assert verdict.status == 200, verdict.body
    assert verdict.json["before"] == prediction["emotion"]
    assert b"emojudge_verdicts_total" in server.ask("GET", "/metrics").body


def test_every_problem_has_the_same_form(server: Server) -> None:
    for method, path, body, headers, status in (
        ("GET", "/nowhere", None, {}, 404),
        ("PUT", "/v1/predict", None, {}, 405),
        ("POST", "/v1/predict", b"{", {"Content-Type": "application/json"}, 422),
        ("POST", "/v1/predict", b"x", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/predict", b"x", {"Content-Type": "multipart/form-data"}, 400),
        ("POST", "/v1/judge", b"[]", {"Content-Type": "application/json"}, 422),
        ("GET", "/v1/jobs/" + "0" * 32, None, {}, 404),
        ("GET", "/v1/jobs/x", None, {}, 422),
        ("GET", "/v1/doubtful?limit=0", None, {}, 422),
    ):
        answer = server.ask(method, path, body, headers)
        assert answer.status == status, (path, answer.body)
        assert answer.headers["content-type"] == "application/problem+json", path
        assert answer.json["status"] == status
        assert {"title", "detail", "found", "expected"} <= set(answer.json), path

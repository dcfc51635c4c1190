// The eight emotions as everybody sees them: colours of Okabe & Ito, which the colour-blind tell apart, with the
// letters of MSP-Podcast beside them, so that nothing hangs on colour alone.

export const EMOTIONS = {
  angry: { letter: "A", colour: "#d55e00", ink: "#000000" },
  sad: { letter: "S", colour: "#0072b2", ink: "#ffffff" },
  happy: { letter: "H", colour: "#f0e442", ink: "#000000" },
  surprise: { letter: "U", colour: "#e69f00", ink: "#000000" },
  fear: { letter: "F", colour: "#cc79a7", ink: "#000000" },
  disgust: { letter: "D", colour: "#009e73", ink: "#000000" },
  contempt: { letter: "C", colour: "#56b4e9", ink: "#000000" },
  neutral: { letter: "N", colour: "#b8b8b8", ink: "#000000" },
};

// Three curves that differ in their dashes too.
export const ATTRIBUTES = {
  valence: { dash: [], ends: "1 negative, 7 positive" },
  arousal: { dash: [7, 4], ends: "1 calm, 7 excited" },
  dominance: { dash: [2, 3], ends: "1 weak, 7 strong" },
};

const SURE = 0.5; // a lower score of the emotion shown is doubtful
const CLEAR = 0.15; // so is one whose runner-up is nearer than this

// The emotion that counts: a person's where somebody said it, else the judge's where there is a verdict.
export function emotionOf(passage) {
  if (passage.correction) return passage.correction.emotion;
  const verdict = passage.prediction.verdict;
  return verdict ? verdict.emotion : passage.prediction.emotion;
}

export function scoresOf(passage) {
  const verdict = passage.prediction.verdict;
  return verdict ? verdict.scores : passage.prediction.scores;
}

export function strongest(scores) {
  return Object.keys(scores).reduce((best, name) => (scores[name] > scores[best] ? name : best));
}

// Why a passage should not be taken at its word; empty where nothing speaks against it.
export function doubts(passage) {
  if (passage.correction) return [];
  const scores = scoresOf(passage);
  const emotion = emotionOf(passage);
  const others = Object.keys(scores).filter((name) => name !== emotion);
  const runnerUp = others.reduce((best, name) => (scores[name] > scores[best] ? name : best));
  const found = [];
  if (scores[emotion] < SURE) found.push(`the score is low: ${percent(scores[emotion])}`);
  if (scores[emotion] - scores[runnerUp] < CLEAR) found.push(`${runnerUp} is nearly as likely`);
  return found;
}

// Whether voice and words were judged apart, and to different emotions.
export function conflict(passage) {
  const { audio, text } = passage.prediction;
  if (!audio || !text) return null;
  const [heard, read] = [strongest(audio.scores), strongest(text.scores)];
  return heard === read ? null : `the voice sounds ${heard}, the words read ${read}`;
}

export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

// Seconds as 1:02:03, or 2:03.4 with a digit.
export function clock(seconds, digits = 0) {
  const scale = 10 ** digits;
  const whole = Math.round(seconds * scale);
  const minutes = Math.floor(whole / (60 * scale));
  const rest = ((whole - minutes * 60 * scale) / scale).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

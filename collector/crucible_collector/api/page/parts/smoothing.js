// An exponential moving average, begun without a lean towards 0: s_i = β s_(i−1) + (1 − β) y_i, shown as s_i / (1 − βⁿ) after n
// values (Kingma and Ba, 2015, section 3). What is not finite leaves it as it is, and stays the gap it was.

export function smoothed(values, beta) {
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    if (typeof value !== "number") return value;
    sum = beta * sum + (1 - beta) * value;
    weight = beta * weight + (1 - beta);
    return sum / weight;
  });
}

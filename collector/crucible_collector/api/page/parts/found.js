// What may not be stored yet, or any more.

// What `asked` comes to; null where there is no such thing, which is an answer and no failure.
export async function found(asked) {
  try {
    return await asked;
  } catch (failure) {
    if (failure.status === 404) return null;
    throw failure;
  }
}

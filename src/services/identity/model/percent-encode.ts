/** RFC 3986: all but letters, digits and `-._~`, as signatures of OAuth and AWS want it. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

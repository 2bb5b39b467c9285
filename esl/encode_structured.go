package esl

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// arrayValues splits FreeSWITCH's notation of a header with several values; false for
// any other value.
func arrayValues(value string) ([]string, bool) {
	list, found := strings.CutPrefix(value, arrayPrefix)
	if !found {
		return nil, false
	}
	return strings.Split(list, arraySeparator), true
}

func appendJSONEvent(dst []byte, headers []Header, body string) []byte {
	dst = append(dst, '{')
	for i := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, headers[i].Name)
		dst = append(dst, ':')
		if values, ok := arrayValues(headers[i].Value); ok {
			dst = appendJSONArray(dst, values)
		} else {
			dst = appendJSONString(dst, headers[i].Value)
		}
	}
	if body != "" {
		if len(headers) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"Content-Length":"`...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, `","_body":`...)
		dst = appendJSONString(dst, body)
	}
	return append(dst, '}')
}

func appendJSONArray(dst []byte, values []string) []byte {
	dst = append(dst, '[')
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, value)
	}
	return append(dst, ']')
}

// appendJSONString escapes as FreeSWITCH does: control characters only, with
// lower-case digits, and bytes that are no UTF-8 raw (p_weird_vars_json).
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendXMLEvent(dst []byte, headers []Header, body string) []byte {
	dst = append(dst, "<event>\n  <headers>\n"...)
	for i := range headers {
		if values, ok := arrayValues(headers[i].Value); ok {
			for _, value := range values {
				dst = appendXMLHeader(dst, headers[i].Name, value)
			}
			continue
		}
		dst = appendXMLHeader(dst, headers[i].Name, headers[i].Value)
	}
	dst = append(dst, "  </headers>\n"...)
	if body != "" {
		dst = append(dst, "  <Content-Length>"...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, "</Content-Length>\n  <body>"...)
		dst = appendXMLText(dst, body)
		if strings.HasSuffix(body, "\n") {
			// FreeSWITCH indents a closing tag that starts a line, and so
			// adds two spaces to the body.
			dst = append(dst, "  "...)
		}
		dst = append(dst, "</body>\n"...)
	}
	return append(dst, "</event>\n"...)
}

func appendXMLHeader(dst []byte, name, value string) []byte {
	dst = append(dst, "    <"...)
	dst = append(dst, name...)
	if value == "" {
		return append(dst, "/>\n"...)
	}
	dst = append(dst, '>')
	dst = AppendURLEncoded(dst, value)
	dst = append(dst, "</"...)
	dst = append(dst, name...)
	return append(dst, ">\n"...)
}

// appendXMLText writes a body: it is not URL-encoded, and anything beyond ASCII
// becomes a character reference (j_sendevent_xml).
func appendXMLText(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch c {
			case '&':
				dst = append(dst, "&amp;"...)
			case '<':
				dst = append(dst, "&lt;"...)
			case '>':
				dst = append(dst, "&gt;"...)
			case '\r':
				dst = append(dst, "&#xD;"...)
			default:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, c)
			i++
			continue
		}
		dst = append(dst, "&#x"...)
		dst = append(dst, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
		dst = append(dst, ';')
		i += size
	}
	return dst
}

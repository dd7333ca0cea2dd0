%code requires {
/*
 * The grammar of packet scripts: options, then events. Its actions hand spans of the text to the builders of
 * read_*.c and script.c, and tell the scanner where a note or the head of a packet follows; these places are
 * marked by rules that bison reduces without looking at the next word.
 *
 * It knows the order of things, not their values.
 */
#include "tools/script/reader.h"
}

%code {
/* The scanner's; flex declares it in its own file only. */
int script_yylex(SCRIPT_YYSTYPE *value, struct span *span, void *scanner);
static void script_yyerror(const struct span *span, void *scanner, struct reader *reader, const char *what);

#define YYLLOC_DEFAULT(span, parts, count) ((span) = span_of((parts), (count)))

/* From the first of the parts 1..count to the last; of none: behind what was before. */
static struct span span_of(const struct span *parts, int count)
{
    struct span span = parts[count];
    if (count == 0) {
        span.begin = span.end;
        span.place.line = span.place.end_line;
        span.place.column = span.place.end_column;
        return span;
    }
    span.begin = parts[1].begin;
    span.place.line = parts[1].place.line;
    span.place.column = parts[1].place.column;
    return span;
}
}

%define api.pure full
%define api.prefix {script_yy}
%define api.location.type {struct span}
%define parse.error custom
%define parse.lac full
%lex-param {void *scanner}
%parse-param {void *scanner} {struct reader *reader}
%expect 0

%union {
    int64_t time;
    struct expression *expression;
    struct expression_list list;
    struct tcp_option_text *option;
}

%token END 0                "the end of the script"
%token NUMBER               "a number"
%token FRACTION             "a number with a fraction"
%token WORD                 "a word"
%token STRING               "a string"
%token OPTION               "an option"
%token COMMAND              "a command in back quotes"
%token CODE                 "code in %{ }%"
%token FLAGS                "flags"
%token NOTE_TEXT            "a note"
%token FOREIGN              "another protocol"
%token ICMP                 "'icmp'"
%token ELLIPSIS             "'...'"
%token SHIFT                "'<<'"
%token ACK                  "'ack'"
%token WIN                  "'win'"
%token URG                  "'urg'"
%token MSS                  "'mss'"
%token WSCALE               "'wscale'"
%token SACK_OK              "'sackOK'"
%token SACK                 "'sack'"
%token TIMESTAMPS           "'TS'"
%token VAL                  "'val'"
%token ECR                  "'ecr'"
%token NOP                  "'nop'"
%token EOL                  "'eol'"
%token FAST_OPEN            "'FO'"
%token FAST_OPEN_EXPERIMENT "'FOEXP'"
%token MD5                  "'md5'"
%token KIND                 "'kind'"
%token ECN                  "'ECN'"
%token MTU                  "'mtu'"
%token UDP                  "'udp'"
%token TCP                  "'tcp'"

%type <time> moment
%type <expression> expression term factor applied operand result result_term member
%type <list> arguments expressions members
%type <option> sack_blocks ecn_counters

%%

script:
    options untimed events untimed
;

options:
    %empty
|   options OPTION              { reader_option(reader, &@2); }
;

untimed:
    %empty
|   COMMAND                     { reader_untimed_command(reader, &@1); }
;

events:
    event
|   events event
;

event:
    time action                 { reader_event_end(reader, &@$); }
;

/* -------------------------------------------------------------------------------------------------- times */

time:
    moment                          { reader_event_begin(reader, TIME_ABSOLUTE, $1, $1); }
|   '+' moment                      { reader_event_begin(reader, TIME_RELATIVE, $2, $2); }
|   '*'                             { reader_event_begin(reader, TIME_ANY, 0, 0); }
|   moment '~' moment               { reader_event_begin(reader, TIME_ABSOLUTE_RANGE, $1, $3); }
|   '+' moment '~' '+' moment       { reader_event_begin(reader, TIME_RELATIVE_RANGE, $2, $5); }
;

moment:
    NUMBER                      { $$ = reader_time(reader, &@1); }
|   FRACTION                    { $$ = reader_time(reader, &@1); }
;

action:
    packet
|   call
|   ELLIPSIS moment             { reader_call_end_time(reader, &@2, $2); }
    call
|   COMMAND                     { reader_command(reader, &@1); }
|   CODE                        { reader_code(reader, &@1); }
;

/* -------------------------------------------------------------------------------------------------- calls */

call:
    WORD '(' arguments ')'      { reader_call(reader, &@1, $3); }
    '=' result                  { reader_call_result(reader, $7); }
    error_name note
;

error_name:
    %empty
|   WORD                        { reader_call_error(reader, &@1); }
;

note:
    %empty
|   note_begin NOTE_TEXT        { reader_call_note(reader, &@2); }
;

note_begin:
    '('                         { reader->mode = SCAN_NOTE; }
;

arguments:
    %empty                      { $$ = (struct expression_list){NULL, NULL, 0}; }
|   expressions
;

expressions:
    expression                  { $$ = list_add((struct expression_list){NULL, NULL, 0}, $1); }
|   expressions ',' expression  { $$ = list_add($1, $3); }
;

expression:
    term
|   expression '|' term         { $$ = expression_binary(reader, '|', $1, $3, &@$); }
;

term:
    factor
|   term SHIFT factor           { $$ = expression_binary(reader, '<', $1, $3, &@$); }
|   term '&' factor             { $$ = expression_binary(reader, '&', $1, $3, &@$); }
;

factor:
    operand
|   applied
;

applied:
    name '(' expressions ')'    { $$ = expression_apply(reader, &@1, $3, &@$); }
;

operand:
    NUMBER                      { $$ = expression_integer(reader, &@1); }
|   name                        { $$ = expression_word(reader, &@1); }
|   STRING                      { $$ = expression_string(reader, &@1); }
|   STRING ELLIPSIS             { $$ = expression_string(reader, &@1); }
|   ELLIPSIS                    { $$ = expression_new(reader, EXPRESSION_ELLIPSIS, &@1); }
|   '[' arguments ']'           { $$ = expression_items(reader, EXPRESSION_LIST, &@$, $2); }
|   '{' members '}'             { $$ = expression_items(reader, EXPRESSION_STRUCT, &@$, $2); }
|   '-' operand                 { $$ = expression_unary(reader, '-', $2, &@$); }
|   '~' operand                 { $$ = expression_unary(reader, '~', $2, &@$); }
;

/* What may stand behind `=`: a parenthesis there begins a note. */
result:
    result_term
|   result '|' result_term      { $$ = expression_binary(reader, '|', $1, $3, &@$); }
;

result_term:
    operand
|   result_term SHIFT operand   { $$ = expression_binary(reader, '<', $1, $3, &@$); }
;

members:
    member                      { $$ = list_add((struct expression_list){NULL, NULL, 0}, $1); }
|   members ',' member          { $$ = list_add($1, $3); }
;

member:
    expression
|   name '=' expression                         { expression_name(reader, $$ = $3, &@1, &@$); }
|   name '(' expressions ')' '=' expression     { expression_name(reader, $$ = $6, &@1, &@$); }
;

name:
    WORD | ACK | WIN | URG | MSS | WSCALE | SACK_OK | SACK | TIMESTAMPS | VAL | ECR | NOP | EOL
|   FAST_OPEN | FAST_OPEN_EXPERIMENT | MD5 | KIND | ECN | MTU | UDP | TCP
;

/* ------------------------------------------------------------------------------------------------ packets */

packet:
    direction heads ports FLAGS     { packet_flags(reader, &@4); }
    sequence ack window urgent encapsulation tcp_options
|   direction heads icmp quoted
|   direction heads quote       { reader->mode = SCAN_HEADER; }
    icmp
|   direction heads ports FOREIGN   { packet_not_tcp(reader, &@4); }
;

direction:
    '<'                         { packet_begin(reader, true); reader->mode = SCAN_HEADER; }
|   '>'                         { packet_begin(reader, false); reader->mode = SCAN_HEADER; }
;

heads:
    %empty
|   heads head                  { reader->mode = SCAN_HEADER; }
;

head:
    '[' ip_fields ']'
|   '(' ip_fields ')'
;

ip_fields:
    ip_field
|   ip_fields ',' ip_field
;

ip_field:
    WORD                        { packet_ip(reader, &@1, NULL); }
|   WORD NUMBER                 { packet_ip(reader, &@1, &@2); }
;

ports:
    %empty
|   NUMBER '>' NUMBER           { packet_ports(reader, &@1, &@3); }
;

sequence:
    range
|   range '!'                       { reader->packet->absolute = true; }
|   ELLIPSIS '(' NUMBER ')'         { packet_any_sequence(reader, &@3); }
|   ELLIPSIS '(' NUMBER ')' '!'     { packet_any_sequence(reader, &@3); }
;

range:
    NUMBER ':' NUMBER '(' NUMBER ')'    { packet_sequence(reader, &@1, &@3, &@5); }
;

ack:
    %empty
|   ACK NUMBER                  { packet_ack(reader, &@2); }
;

window:
    %empty
|   WIN NUMBER                  { packet_window(reader, &@2); }
;

urgent:
    %empty
|   URG NUMBER                  { packet_urgent(reader, &@2); }
;

encapsulation:
    %empty
|   '/'                         { packet_not_tcp(reader, &@1); }
;

/* --------------------------------------------------------------------------------------------------- ICMP */

icmp:
    ICMP WORD mtu               { packet_icmp(reader, &@2, NULL); }
|   ICMP WORD WORD mtu          { packet_icmp(reader, &@2, &@3); }
;

mtu:
    %empty
|   MTU NUMBER                  { packet_mtu(reader, &@2); }
;

quoted:
    %empty
|   quote
;

quote:
    '[' range ']'               { packet_quote(reader); }
|   '[' TCP range ']'           { packet_quote(reader); }
|   '[' UDP '(' NUMBER ')' ']'  { packet_quote_udp(reader, &@4); }
|   '[' UDP NUMBER '>' NUMBER '(' NUMBER ')' ']'
        {
            packet_ports(reader, &@3, &@5);
            packet_quote_udp(reader, &@7);
        }
;

/* ------------------------------------------------------------------------------------------------ options */

tcp_options:
    %empty
|   '<' ELLIPSIS '>'            { reader->packet->any_options = true; }
|   '<' tcp_option_list '>'     { options_check(reader, &@$); }
;

tcp_option_list:
    tcp_option
|   tcp_option_list ',' tcp_option
;

tcp_option:
    NOP                         { option_add(reader, SCRIPT_OPTION_NOP, &@$); }
|   EOL                         { option_add(reader, SCRIPT_OPTION_END, &@$); }
|   SACK_OK                     { option_add(reader, SCRIPT_OPTION_SACK_OK, &@$); }
|   MSS NUMBER                  { option_value(reader, option_add(reader, SCRIPT_OPTION_MSS, &@$), &@2); }
|   WSCALE NUMBER               { option_value(reader, option_add(reader, SCRIPT_OPTION_WSCALE, &@$), &@2); }
|   sack_blocks                 { }
|   timestamps
|   FAST_OPEN                   { option_add(reader, SCRIPT_OPTION_FAST_OPEN, &@$); }
|   FAST_OPEN bytes
        { option_bytes(reader, option_add(reader, SCRIPT_OPTION_FAST_OPEN, &@$), &@2); }
|   FAST_OPEN_EXPERIMENT        { option_add(reader, SCRIPT_OPTION_FAST_OPEN_EXPERIMENT, &@$); }
|   FAST_OPEN_EXPERIMENT bytes
        { option_bytes(reader, option_add(reader, SCRIPT_OPTION_FAST_OPEN_EXPERIMENT, &@$), &@2); }
|   MD5                         { option_add(reader, SCRIPT_OPTION_MD5, &@$); }
|   MD5 bytes                   { option_bytes(reader, option_add(reader, SCRIPT_OPTION_MD5, &@$), &@2); }
|   KIND NUMBER                 { option_number(reader, option_add(reader, SCRIPT_OPTION_OTHER, &@$), &@2); }
|   KIND NUMBER bytes
        {
            struct tcp_option_text *option = option_add(reader, SCRIPT_OPTION_OTHER, &@$);
            option_number(reader, option, &@2);
            option_bytes(reader, option, &@3);
        }
|   ecn_counters                { }
;

sack_blocks:
    SACK NUMBER ':' NUMBER
        { option_sack(reader, $$ = option_add(reader, SCRIPT_OPTION_SACK, &@$), &@2, &@4); }
|   sack_blocks NUMBER ':' NUMBER
        { option_sack(reader, $$ = $1, &@2, &@4); }
;

timestamps:
    TIMESTAMPS                  { option_add(reader, SCRIPT_OPTION_TIMESTAMPS, &@$); }
    VAL timestamp_value ECR timestamp_echo
;

timestamp_value:
    NUMBER                      { option_value(reader, option_last(reader), &@1); }
|   ELLIPSIS                    { option_last(reader)->any_value = true; }
;

timestamp_echo:
    NUMBER                      { option_echo(reader, option_last(reader), &@1); }
|   ELLIPSIS                    { option_last(reader)->any_echo = true; }
;

/* Their words are told from each other by the builder. */
ecn_counters:
    ECN                         { option_ecn($$ = option_add(reader, SCRIPT_OPTION_OTHER, &@$)); }
|   ecn_counters WORD NUMBER    { option_ecn_counter(reader, $$ = $1, &@2, &@3); }
;

bytes:
    WORD | NUMBER
;

%%

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, struct reader *reader)
{
    enum { MOST = 64 };
    yysymbol_kind_t symbols[MOST];
    const char *names[MOST];
    int count = yypcontext_expected_tokens(context, symbols, MOST);

    (void)scanner;
    for (int i = 0; i < count; i++)
        names[i] = yysymbol_name(symbols[i]);
    reader_fail_expected(reader, yypcontext_location(context), names, count);
    return 0;
}

/* Only for want of room: syntax errors go the way above. */
static void script_yyerror(const struct span *span, void *scanner, struct reader *reader, const char *what)
{
    (void)scanner;
    (void)what;
    reader_fail(reader, span, "nested too deeply, expected less");
}

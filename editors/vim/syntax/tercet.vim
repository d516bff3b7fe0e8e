" Tercet, as docs/language.md has it. A test compares the words with those of the lexer.
if exists('b:current_syntax')
  finish
endif

syntax keyword tercetStatement let var for in while if else return yield assert break continue scan minimize with
syntax keyword tercetItem use graph optimizer extern fn pipeline stage inout
syntax keyword tercetOperator and or not div
syntax keyword tercetBoolean true false
syntax keyword tercetType f32 f64 bf16 i8 i32 i64 bool int float string path real list axes

syntax match tercetFunction /\<\h\w*\ze\s*(/
" Axes and models begin with a capital.
syntax match tercetName /\<\u\w*\>/

" Words that mean something only where the grammar has them.
syntax match tercetItem /^\%(model\|config\)\>\ze\%(\s\|{\|$\)/
syntax match tercetItem /^\s*\zs\%(param\|part\|state\)\>\ze\s\+\h/
syntax match tercetItem /^\s*\zs\%(huggingface\)\>\ze\s\+"/
syntax match tercetItem /^\s*\zs\%(decode\)\>\ze\s\+\h\w*\s*:/
syntax match tercetItem /\<axis\>\ze\s\+\u/
syntax match tercetItem /\<\%(as\|from\|gradient\)\>\ze\s\+"/
syntax match tercetStatement /\<reverse\>\ze\s*[({]/
syntax match tercetStatement /\<clip\>\ze\s\+[^ =]/
syntax match tercetType /:\s*\zsaxis\>/

syntax match tercetNumber /\<\d\+\%(\.\d\+\)\?\%([eE][+-]\?\d\+\)\?\>/
" After a dot any word is a field. It begins with the dot, so that it goes before the keywords.
syntax match tercetField /\.\h\w*/
syntax match tercetArrow /->/
syntax match tercetRange /\.\./

syntax match tercetEscape contained /\\\%([ntr"\\]\|u{\x\{1,6}}\)/
syntax region tercetString start=/"/ skip=/\\./ end=/"/ oneline contains=tercetEscape
syntax keyword tercetTodo contained TODO FIXME XXX
syntax match tercetComment +//.*$+ contains=tercetTodo,@Spell
syntax match tercetDoc +///\%(/\)\@!.*$+ contains=tercetTodo,@Spell

highlight default link tercetStatement Statement
highlight default link tercetItem Structure
highlight default link tercetOperator Operator
highlight default link tercetArrow Operator
highlight default link tercetRange Operator
highlight default link tercetBoolean Boolean
highlight default link tercetType Type
highlight default link tercetName Identifier
highlight default link tercetFunction Function
highlight default link tercetNumber Number
highlight default link tercetString String
highlight default link tercetEscape SpecialChar
highlight default link tercetTodo Todo
highlight default link tercetComment Comment
highlight default link tercetDoc SpecialComment

let b:current_syntax = 'tercet'
